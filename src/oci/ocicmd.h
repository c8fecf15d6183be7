/* SPDX-License-Identifier: Apache-2.0 */
/* ocicmd - what the commands of caisson-oci have in common. */
#ifndef OCI_OCICMD_H
#define OCI_OCICMD_H

#include <stdbool.h>

struct err;
struct opt;

/* The options before the command. */
struct ocicmd_globals {
	const char *root, *log, *rootless;
	int log_format; /* 0 text, 1 json */
	bool debug, systemd_cgroup, version;
	bool root_given;       /* root is from the command line */
	const char *isolation; /* NULL: by annotation */
	const char *programs;  /* directory of this program's file; NULL: unknown */
	const char *path;      /* $PATH, NULL when it is empty: where helpers are looked for */
	int listen_fds;	       /* descriptors that socket activation handed to us */
};

/* Returns the exit code, or a negative errno with *e. */
typedef int ocicmd_fn(const struct ocicmd_globals *g, int argc, char **argv, struct err *e);

struct ocicmd {
	const char *name, *operands, *summary;
	ocicmd_fn *run;
	int error_exit;		/* exit code for errors of ours */
	bool enters;		/* makes processes in an instance: needs selfexe_ensure() first */
	const struct opt *opts; /* NULL: none of its own */
};

extern const struct ocicmd ocicmd_all[]; /* .name NULL ends it */

#endif
