/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance_root - an instance's files for caisson-copy: what it has to be told to find the root of
 * one that runs, or to make that of one that does not.
 */
#ifndef ENGINE_INSTANCE_ROOT_H
#define ENGINE_INSTANCE_ROOT_H

#include "base/arena.h"
#include "spec/plan.h"
#include "sys/fuseoverlay.h"

struct err;
struct lookup;
struct session;

#define INSTANCE_ROOT_FD 6 /* where the program finds it */

struct instance_root {
	struct strs args;
	int fd;	  /* to be handed over as INSTANCE_ROOT_FD, or -1 */
	int lock; /* of an instance that does not run: nobody starts or removes it meanwhile; -1 */
	struct fuseoverlay served; /* who serves it, of one that does not run */
};
#define INSTANCE_ROOT_INIT                                                                         \
	((struct instance_root){.fd = -1, .lock = -1, .served = FUSEOVERLAY_INIT})

/* bare: without what is mounted in it (volumes, /proc).  Strings go into a.
 * Not for a VM.  Errors: ERR_CONFLICT it ends. */
int instance_root_open(struct session *s, const struct lookup *l, bool bare, struct arena *a,
		       struct instance_root *out, struct err *e);
void instance_root_close(struct instance_root *r);
#define auto_instance_root __attribute__((cleanup(instance_root_close)))

/* The layers and the writable directories of a container, running or not; .upper is NULL with a
 * read-only root. */
int instance_root_stack(struct session *s, const struct lookup *l, struct arena *a,
			struct plan_rootfs *out, struct err *e);

/* Where the engine mounts things: "etc/hosts", the volumes, and the directories above them. Empty
 * files and directories of these names are its own doing. */
void instance_root_places(const struct lookup *l, struct arena *a, struct strs *out);

/* Whether its files are its own kernel's: then engine/vmfiles.h asks that.  1, 0, or
 * ERR_UNSUPPORTED for a VM that does not run. */
int instance_root_vm(const struct lookup *l, struct err *e);

#endif
