/* SPDX-License-Identifier: Apache-2.0 */
/* hostinfo - what this host has for virtual machines: `caisson-monitor --probe`, for `caisson
 * info`. */
#ifndef MONITOR_HOSTINFO_H
#define MONITOR_HOSTINFO_H

struct arena;
struct buf;
struct err;

/* Where guest kernels are looked for, NULL-terminated: the data directory of the installation, then
 * the system's, then what `caisson kernel add` and `build` keep below root (NULL: nowhere). */
const char *const *hostinfo_kernel_dirs(const char *root, const char *data, struct arena *a);
/* What `caisson kernel default` has set, or NULL. */
const char *hostinfo_kernel(const char *root, struct arena *a);

/* {"probe":{as probe_write()},"qemu":path or null,"kernel":version or null,"kernelWhy":text}.
 * Runs the probe when it is not cached below cache_dir. */
int hostinfo_write(const char *cache_dir, const char *root, const char *data, struct buf *out,
		   struct err *e);

#endif
