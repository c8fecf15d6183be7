/* SPDX-License-Identifier: Apache-2.0 */
/* vmlimits - which new limits a running machine can take. */
#ifndef MONITOR_VMLIMITS_H
#define MONITOR_VMLIMITS_H

#include <stdint.h>

struct err;
struct plan_resources;

/* memory_bytes and cpus: what it booted with, and can never have more of.
 * Errors: ERR_UNSUPPORTED or ERR_USAGE with the option and the limit. */
int vmlimits_check(const struct plan_resources *r, uint64_t memory_bytes, uint32_t cpus,
		   struct err *e);

#endif
