/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocicriu - one conversation with `criu swrk`, and what checkpoint and restore must call alike.
 *
 * What belongs to the host is "external" to the images and is found again by a name: a mount by its
 * destination in config.json, the network namespace by "extRootNetNS" (runc's name), stdin, stdout
 * and stderr by what descriptors.json, beside the images, says of each.
 */
#ifndef OCI_OCICRIU_H
#define OCI_OCICRIU_H

#include "fmt/criu_rpc.h"
#include "oci/ocicmd.h"
#include "sys/child.h"

#include <sys/types.h>

struct arena;
struct cgroup;
struct err;
struct plan;
struct strs;

#define OCICRIU_DESCRIPTORS "descriptors.json"
#define OCICRIU_NET	    "extRootNetNS"
#define OCICRIU_PID	    "extRootPidNS"

/* What checkpoint and restore have in common of their options. */
struct ocicriu_args {
	const char *image_path, *work_path, *cgroups_mode, *empty_ns;
	bool ext_unix_sk, tcp_established, shell_job, file_locks, lazy_pages, auto_dedup,
	    link_remap, skip_in_flight;
};

struct ocicriu {
	int images, work;	/* directories, -1: not open */
	struct child_fd fds[8]; /* descriptors for criu */
	size_t nfds;
	struct criu_rpc_opts o;
	struct cgroup *cgroup; /* criu is moved there first; NULL: stays */
	/* What criu tells on its way; fd: what came with it (the callee's), or -1. */
	int (*notified)(void *ctx, const struct criu_rpc_response *what, int fd, struct err *e);
	void *ctx;
};
#define OCICRIU_INIT ((struct ocicriu){.images = -1, .work = -1})

void ocicriu_done(struct ocicriu *c);
#define auto_ocicriu __attribute__((cleanup(ocicriu_done)))

/* Open the directories (made when make is set; work_path NULL: the images') and fill c->o.
 * log: name of criu's log file.  Errors: ERR_USAGE for a mode or namespace that is not known. */
int ocicriu_begin(struct ocicriu *c, const struct ocicriu_args *a, const char *log, bool make,
		  struct err *e);

/* Start criu, ask, serve what it tells, wait for its end.  out->pid of a restore is a child of
 * ours.  Errors: ERR_UNSUPPORTED criu is not there, or says that it cannot work on this kernel;
 * ERR_SYSTEM with the first error of its log. */
int ocicriu_talk(const struct ocicmd_globals *g, struct ocicriu *c, enum criu_rpc_type type,
		 struct criu_rpc_response *out, struct err *e);

/* The mounts of p that come from the host, as criu's "external": pid not 0, of a running instance,
 * "mnt[PLACE]:NAME"; else, for a restore, "mnt[NAME]:SOURCE". */
int ocicriu_mounts(const struct plan *p, const char *bundle, const struct cgroup *cg, pid_t pid,
		   struct arena *a, struct strs *out, struct err *e);

#endif
