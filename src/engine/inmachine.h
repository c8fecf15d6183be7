/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inmachine - instances that run as containers in a running VM: `--in MACHINE`, and those of a pod
 * that is a VM.
 *
 * Such an instance has a record, a log and a monitor like any other; its root and its processes are
 * in the guest, whose agent keeps the image's files and what the container changed (guest/box.h).
 * The network is the machine's.  What of the host is mounted in it must be mounted in the machine.
 */
#ifndef ENGINE_INMACHINE_H
#define ENGINE_INMACHINE_H

#include "spec/record.h"

struct arena;
struct err;
struct image;
struct request;
struct session;

/* "--in NAME": .machine becomes an id.  ERR_NOT_FOUND; ERR_USAGE no VM, itself in one, or what only
 * a machine can have; ERR_UNSUPPORTED. */
int inmachine_fix(struct session *s, struct request *q, struct arena *a, struct err *e);

/* The instance's mounts as the guest finds them: a host path or volume is what the machine has of
 * it.  ERR_UNSUPPORTED: nothing. */
int inmachine_mounts(struct session *s, const struct request *q, const struct instance_mounts *l,
		     struct arena *a, struct instance_mounts *out, struct err *e);

/* The machine runs and has the files of the image; *hex is how it calls them.  ERR_CONFLICT it does
 * not run. */
int inmachine_prepare(struct session *s, const struct request *q, const struct image *image,
		      struct arena *a, const char **hex, struct err *e);

/* A container of it was removed: so are its changes, if the machine runs. */
void inmachine_drop(struct session *s, const struct instance *i);

#endif
