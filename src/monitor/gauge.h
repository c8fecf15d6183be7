/* SPDX-License-Identifier: Apache-2.0 */
/* gauge - the numbers behind STATS, as the host sees them. */
#ifndef MONITOR_GAUGE_H
#define MONITOR_GAUGE_H

#include <sys/types.h>

struct cgroup;
struct err;
struct metrics;

/* CPU, memory, block devices, processes. */
int gauge_cgroup(const struct cgroup *cg, struct metrics *out, struct err *e);
/* Add what went over the interfaces of a process's network namespace, loopback apart. */
void gauge_process_net(pid_t pid, struct metrics *out);
/* The same over one device of ours, the other end of which is the instance's: what we receive it
 * has sent. */
void gauge_device_net(const char *run_root, const char *device, struct metrics *out);

#endif
