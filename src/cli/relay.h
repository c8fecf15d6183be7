/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay - a terminal, or any three descriptors, connected to a process of an instance.
 *
 * While it runs: signals sent to us go to the process (unless told not to), a change of the
 * terminal's size too; the terminal is in raw mode when the process has one of its own, and is
 * put back on every way out.
 */
#ifndef CLI_RELAY_H
#define CLI_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct conn;
struct err;

struct relay {
	struct conn *conn;
	uint32_t stream;
	bool in;		 /* pass on our stdin */
	bool tty;		 /* the process has a terminal */
	bool no_signals;	 /* do not pass signals on: they end us */
	bool wait_start;	 /* the answer to START or EXEC is still to come */
	uint32_t started;	 /* stream of that answer */
	const char *detach_keys; /* "ctrl-p,ctrl-q"; NULL: this; "": none */
	int signals;		 /* from relay_signals() */
};

enum relay_end { RELAY_EXITED, RELAY_DETACHED };

/* Take signals as events from here on, so that none is lost between start and relay.  Returns a
 * descriptor. */
int relay_signals(struct err *e);

/* ERR_USAGE: stdin is no terminal though the process wants one. */
int relay_check(const struct relay *r, struct err *e);
/* Size of our terminal, 0 when there is none. */
void relay_size(unsigned int *rows, unsigned int *columns);

/* Until the process ends (RELAY_EXITED, *status as wait(2) gives it) or the user detaches. */
/* With .no_signals a signal ends the client alone: ERR_CANCELED, e->sys is its number. */
int relay_run(struct relay *r, int *status, struct err *e);

#endif
