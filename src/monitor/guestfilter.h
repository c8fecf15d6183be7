/* SPDX-License-Identifier: Apache-2.0 */
/* guestfilter - a system call filter for a guest, compiled on the host. */
#ifndef MONITOR_GUESTFILTER_H
#define MONITOR_GUESTFILTER_H

struct arena;
struct plan;

/* The path of the plan's filter in the cache, compiled now if it is not there: 12 ms here once,
 * against 200 in an emulated guest each time.  NULL: no filter, or no cache. */
const char *guestfilter_path(const struct plan *p, struct arena *a);

#endif
