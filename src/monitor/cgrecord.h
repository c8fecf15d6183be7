/* SPDX-License-Identifier: Apache-2.0 */
/* cgrecord - where an instance's cgroup is, for whoever clears up after a monitor that was killed:
 * RUN/instances/ID/cgroup.json, in cgroup_save()'s form; not written for the usual place. */
#ifndef MONITOR_CGRECORD_H
#define MONITOR_CGRECORD_H

struct cgroup;
struct err;
struct plan;

int cgrecord_write(const struct plan *p, const struct cgroup *cg, struct err *e);

/* Kill what is in the instance's cgroup and remove it; nothing there is success. */
int cgrecord_clean(const char *run_root, const char *id, struct err *e);

#endif
