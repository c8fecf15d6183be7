/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuseroot - a container's root that fuse-overlayfs makes (plan.caisson.rootfs.fuse): the program
 * is a child of the monitor and in its cgroup.  When it ends before the instance, the instance has
 * no files any more and is killed; exit.json says why.
 */
#ifndef MONITOR_FUSEROOT_H
#define MONITOR_FUSEROOT_H

#include "monitor/loop.h"
#include "sys/fuseoverlay.h"

struct err;
struct plan;
struct server;

struct fuseroot {
	struct server *server;
	struct fuseoverlay program;
	struct watch ended;
};
#define FUSEROOT_INIT ((struct fuseroot){.program = FUSEOVERLAY_INIT, .ended = WATCH_INIT})

/* .program.root is the mount; with a plan that wants none all stays as it is. */
int fuseroot_make(struct fuseroot *f, struct server *s, const struct plan *p, struct err *e);
/* The instance has it now: the mount goes with its namespace. */
void fuseroot_given(struct fuseroot *f);
void fuseroot_end(struct fuseroot *f);

#endif
