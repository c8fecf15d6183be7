/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start - an instance gets its root, its network and its monitor, and runs.
 *
 * The order, and what a kill -9 in between leaves: the monitor's lock (freed by the kernel), the
 * writable root (part of the instance), the network (found by the next start or sweep), then the
 * monitor itself, which undoes everything when its first client is gone before START.
 */
#ifndef ENGINE_START_H
#define ENGINE_START_H

#include "engine/conn.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct image;
struct instance;
struct session;

#define START_STREAM 1 /* of the attached stdio */
/* In the instance's directory as long as its files are being replaced. */
#define START_RESTORING "restoring"
/* There until the first start of a clone: its files are another's (plan_caisson.machine_id). */
#define START_RENEW "renew"

struct start_opts {
	bool attach;		   /* follow stdout and stderr on START_STREAM */
	bool in;		   /* with attach: and give stdin */
	bool no_out, no_err;	   /* with attach: but not this one */
	const struct image *image; /* of create_instance_of(); NULL: the recorded one */
	const char *resume;	   /* directory of the snapshot whose memory it goes on with */
	bool tied;		   /* it is killed when the connection is gone */
	bool reap; /* the caller will call remove_ended() when the instance has ended */
	int64_t restarts,
	    restart_wait_ms;	    /* how often a policy started it again, and the wait before */
	unsigned int rows, columns; /* of the terminal; 0: unknown */
};

/* Start an instance whose directory the caller has locked.  Returns when the monitor has been
 * started and told everything; its answer (STARTED on stream 0, or ERR) is still to come, see
 * start_wait().  Errors before that leave nothing. */
int start_instance(struct session *s, const struct instance *i, int dir_fd,
		   const struct start_opts *o, struct conn *out, struct err *e);

/* Wait for the answer.  ERR_NO_COMMAND, ERR_NOT_EXEC: the instance's command. */
int start_wait(struct conn *c, struct err *e);

#endif
