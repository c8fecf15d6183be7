/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procio - one process of the guest and its standard descriptors, as the host sees them.
 *
 * States: running, ended (reaped, its output not yet all sent), gone (EXIT was put).
 * Invariants: 1. what waits for the process's stdin is at most PROCIO_WINDOW; 2. never more than
 * .credit bytes of output are put; 3. EXIT is put once, last, and after all output that was there
 * when the process had ended.
 */
#ifndef GUEST_PROCIO_H
#define GUEST_PROCIO_H

#include "base/buf.h"
#include "runtime/launch.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

#define PROCIO_WINDOW (65536u * 4)
#define PROCIO_POLLS  3

struct procio {
	uint32_t id; /* 0: the slot is free */
	struct launch launch;
	int in, out, err; /* with a terminal: in and out are the same open file twice */
	bool terminal;
	bool ended;
	int status;
	uint64_t credit;   /* output bytes we may still put */
	uint32_t consumed; /* input bytes taken that were not granted again */
	uint32_t old;	   /* first bytes of .inq, of another host side: they are not granted */
	struct buf inq;	   /* waits for the process to read it */
	size_t inq_off;
	bool in_eof; /* close in when inq is empty */
};

/* Descriptors for a process about to be launched: child[3] are its ends (close after the launch).
 * with_stdin false: /dev/null. */
int procio_open(struct procio *s, uint32_t id, bool terminal, bool with_stdin, int child[3],
		struct err *e);
/* After the launch of a process with a terminal: its master is console. */
int procio_terminal(struct procio *s, int console, struct err *e);

/* From the host.  -EBADMSG: more than was granted. */
int procio_input(struct procio *s, const void *data, size_t len);
void procio_resize(struct procio *s, uint16_t rows, uint16_t columns);

/* Fill p[0..PROCIO_POLLS) with what to wait for; room: whether output may be put at all. */
void procio_poll(const struct procio *s, bool room, struct pollfd *p);
/* Move data as the revents say; frames go to out. */
void procio_move(struct procio *s, const struct pollfd *p, bool room, struct buf *out);
/* Would procio_finish() do it now, with nothing to poll for? */
bool procio_due(const struct procio *s, const struct buf *out);
/* When all is said: put EXIT; true when the stream is over. */
bool procio_finish(struct procio *s, struct buf *out);

/* Another host side takes over, with both windows whole. */
void procio_anew(struct procio *s);

void procio_close(struct procio *s);

#endif
