/* SPDX-License-Identifier: Apache-2.0 */
/*
 * box - containers in a machine besides its main instance: one that was put into a running machine
 * (`run --in`), or a pod's.
 *
 * The files of an image are sent once per machine, as an archive, and kept beside the machine's
 * writable layer (rw/images/HEX); a container's own changes lie in rw/boxes/ID, and stay until
 * somebody drops them.  Its plan is the host's, with words for what only this side knows:
 *
 *	namespace path "@main"		that of the main instance
 *	bind source "@main:/DIR"	what the main instance has mounted at /DIR
 *	bind source "@shm"		the main instance's /dev/shm
 */
#ifndef GUEST_BOX_H
#define GUEST_BOX_H

#include "base/arena.h"
#include "runtime/launch.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct plan;
struct strs;

struct box {
	uint32_t stream; /* of its main process; 0: the slot is free */
	pid_t init;	 /* its process 1 */
	int shm;
	struct arena arena;
	struct plan *plan; /* in the arena */
};

/* Read the plan, fill in what it means here, mount its root.  main_plan, main_pid: of the main
 * instance.  ERR_NOT_FOUND the image was not sent, or the main instance mounts nothing there. */
int box_open(struct box *b, const char *text, const struct plan *main_plan, pid_t main_pid,
	     struct err *e);
/* Its processes have ended. */
void box_close(struct box *b);

/* The words are a request that only the main instance's layers can answer. */
bool box_unknown(const struct strs *words);

/* 1: the words are a request about images and boxes, and a child is at it; 0: they are not.
 *	--box-have HEX	ERR_NOT_FOUND: send it
 *	--box-image HEX	its archive comes by stdin
 *	--box-drop ID	a container's changes go */
int box_files(const struct strs *words, const int child[3], struct launch *out, struct err *e);

#endif
