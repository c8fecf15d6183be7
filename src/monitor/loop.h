/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - the monitor's one poll loop.
 *
 * A watch is embedded in what it belongs to and calls back when its descriptor is ready.  One event
 * is taken per turn, so that a callback may free any watch, its own included.
 */
#ifndef MONITOR_LOOP_H
#define MONITOR_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct loop {
	int epoll;
	bool stop;
};

struct watch {
	int fd;		 /* -1: not watched; closed by watch_done() */
	uint32_t events; /* EPOLLIN, EPOLLOUT; 0: registered, only errors and hang-ups */
	void (*ready)(struct watch *w, uint32_t events);
	struct loop *loop;
};
#define WATCH_INIT ((struct watch){.fd = -1})

int loop_init(struct loop *l, struct err *e);
/* Runs until .stop. */
int loop_run(struct loop *l, struct err *e);
void loop_done(struct loop *l);

/* Takes fd, makes it non-blocking.  A regular file cannot be polled: -EPERM. */
int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events,
	       void (*ready)(struct watch *, uint32_t));
/* Change what is waited for; 0 also silences hang-ups, by taking it out of the set. */
void loop_want(struct watch *w, uint32_t events);
/* Stop watching and close. */
void loop_drop(struct watch *w);

#define loop_owner(w, type, member)                                                                \
	((type *)(void *)((char *)(w) - __builtin_offsetof(type, member)))

#endif
