/* SPDX-License-Identifier: Apache-2.0 */
/* ocicreate - create, start, run; and how an instance is ended and removed. */
#ifndef OCI_OCICREATE_H
#define OCI_OCICREATE_H

#include "base/opt.h"
#include "oci/ocicmd.h"

#include <sys/types.h>

struct launch;
struct launch_opts;
struct ocistate;
struct plan;

ocicmd_fn ocicreate_create, ocicreate_start, ocicreate_run;
extern const struct opt ocicreate_opts[];

/* What there is when the processes of a restored instance are to be made; *l gets them and the
 * cgroup, also on failure. */
struct ocicreate_made {
	const struct plan *plan;
	const struct launch_opts *opts;
	const char *bundle;
	int dir; /* of the instance's state */
	struct launch *l;
};

/* Like run, but the processes, which go on at once, are made by make(). */
struct ocicreate_restore {
	const char *id, *bundle, *console_socket, *pid_file;
	bool detach;
	const void *ctx;
	int (*make)(const struct ocicmd_globals *g, const void *ctx, const struct ocicreate_made *m,
		    struct err *e);
};
int ocicreate_restore(const struct ocicmd_globals *g, const struct ocicreate_restore *rs,
		      struct err *e);

/* Everything that outlives the process: cgroup, poststop hooks, state. */
int ocicreate_destroy(const struct ocicmd_globals *g, int root_fd, const struct ocistate *s,
		      const struct plan *p, struct err *e);

/* pid as text into path, written beside and renamed. */
int ocicreate_pid_file(const char *path, pid_t pid, struct err *e);

/* 3 .. 3+n-1 have to be open before anything of ours is. */
int ocicreate_check_fds(int n, struct err *e);

#endif
