/* SPDX-License-Identifier: Apache-2.0 */
/* ocicreate - create, start, run; and how an instance is ended and removed. */
#ifndef OCI_OCICREATE_H
#define OCI_OCICREATE_H

#include "oci/ocicmd.h"

#include <sys/types.h>

struct ocistate;
struct plan;

ocicmd_fn ocicreate_create, ocicreate_start, ocicreate_run;

/* Everything that outlives the process: cgroup, poststop hooks, state. */
int ocicreate_destroy(const struct ocicmd_globals *g, int root_fd, const struct ocistate *s,
		      const struct plan *p, struct err *e);

/* pid as text into path, written beside and renamed. */
int ocicreate_pid_file(const char *path, pid_t pid, struct err *e);

/* 3 .. 3+n-1 have to be open before anything of ours is. */
int ocicreate_check_fds(int n, struct err *e);

#endif
