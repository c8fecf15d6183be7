/* SPDX-License-Identifier: Apache-2.0 */
/* proc_cgroup - the lines of /proc/PID/cgroup: which cgroup of each hierarchy a process is in.
 * Source: cgroups(7), "/proc/pid/cgroup". */
#ifndef FMT_PROC_CGROUP_H
#define FMT_PROC_CGROUP_H

#include <stdbool.h>

struct proc_cgroup {
	int hierarchy;		 /* 0: the v2 tree */
	const char *controllers; /* "cpu,cpuacct", "name=systemd", "" for v2 */
	const char *path;	 /* as the reader's cgroup namespace shows it; may begin "/.." */
};

/* Step to the next good line of the NUL-terminated *text, which is cut up and advanced. */
bool proc_cgroup_next(char **text, struct proc_cgroup *out);

#endif
