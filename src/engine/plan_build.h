/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_build - image configuration, request and defaults become one plan.
 *
 * The result is complete: what is not in it does not exist for the runtime and the VMM.  Only what
 * depends on the files of the root is left to whoever enters it: the user (process.user.username,
 * resolved by runtime/user.h) and HOME.
 */
#ifndef ENGINE_PLAN_BUILD_H
#define ENGINE_PLAN_BUILD_H

#include "base/arena.h"

#include <stdbool.h>

struct err;
struct instance;
struct oci_process;
struct plan;
struct plan_nics;
struct plan_rootfs;
struct request;

struct usernsmode_maps;

struct plan_input {
	const char *root, *run_root; /* absolute paths of the store */
	const struct instance *instance;
	const struct request *request;
	const struct oci_process *image;
	const struct plan_rootfs *rootfs;
	const struct plan_nics *nics;
	/* Namespace to join, such as "/proc/self/fd/5"; NULL: the host's own. */
	const char *net_ns;
	/* Likewise, for what --pid and --ipc join; shm: a detached mount for /dev/shm. */
	const char *pid_ns, *ipc_ns, *uts_ns, *shm;
	const struct usernsmode_maps
	    *userns;	  /* of its user namespace; empty or NULL: the engine's */
	const char *init; /* program that --init starts, on the host */
	/* Names in the instance's directory of files to show as /etc/resolv.conf, /etc/hosts and
	 * /etc/hostname. */
	bool etc_files;
	/* They are those of the instance whose network it joins, in this directory; NULL: its own.
	 */
	const char *etc_dir;
	const char *box_image; /* of one in a machine: how the guest calls its image */
	const char *hostname;  /* of what it joins; NULL: as plan_build_hostname() says */
	/* Nothing will be started: without limits and devices, for which the host is asked. */
	bool dry;
};

/* Everything in *out lives in a or is borrowed from in. */
int plan_build(const struct plan_input *in, struct arena *a, struct plan *out, struct err *e);

/* Entry point and arguments: the request's entry point replaces the image's together with its
 * arguments, the request's arguments replace the image's.  ERR_USAGE when nothing is left. */
int plan_build_command(const struct request *q, const struct oci_process *image, struct arena *a,
		       struct strs *out, struct err *e);

/* What the instance calls itself. */
const char *plan_build_hostname(const struct request *q, const char *id, struct arena *a);

/* Set or replace KEY in a list of KEY=VALUE. */
void plan_build_setenv(struct strs *env, const char *pair, struct arena *a);

#endif
