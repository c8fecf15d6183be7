/* SPDX-License-Identifier: Apache-2.0 */
/* settings - what the host tells a guest about itself: time, entropy, interfaces, small files. */
#ifndef GUEST_SETTINGS_H
#define GUEST_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct plan_nic;

int settings_time(int64_t ns, struct err *e);
int settings_entropy(const void *data, size_t len, struct err *e);
/* The interface with the plan's hardware address gets its name, addresses and routes.  Loads the
 * network driver when this is the first. */
int settings_net(const struct plan_nic *nic, struct err *e);
/* The interface of that name has been another machine's: it gets this hardware address and these
 * addresses, and keeps no others. */
int settings_net_again(const struct plan_nic *nic, struct err *e);
/* As many CPUs online as quota / period begins, the others offline; quota <= 0: all. */
int settings_cpus(int64_t quota, int64_t period, struct err *e);
int settings_file(const char *name, const void *data, size_t len, struct err *e);

#endif
