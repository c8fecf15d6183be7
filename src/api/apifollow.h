/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apifollow - those who wait attached to an instance behind the first who does.
 *
 * Only one connection to a monitor is there before the process runs: the first's, who therefore
 * passes on to the others what comes on it, and what they type, in the frames of that protocol.  A
 * follower that takes nothing for ten seconds is left behind, so that it cannot hold up the rest.
 */
#ifndef API_APIFOLLOW_H
#define API_APIFOLLOW_H

#include "spec/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct pollfd;

#define APIFOLLOW_MAX	 32
#define APIFOLLOW_WINDOW (64u << 10) /* bytes a follower may send ahead */

struct apifollow_one {
	int fd;
	struct wire_reader reader;
};
struct apifollow {
	struct apifollow_one v[APIFOLLOW_MAX];
	size_t n;
	bool in, out, err; /* what any of them wants */
};

/* What somebody who connects to the meeting says first. */
struct apifollow_hello {
	bool start; /* the instance; the answer is a struct err */
	bool in, out, err;
};

/* Takes fd, or closes it when there are too many. */
void apifollow_add(struct apifollow *f, int fd, const struct apifollow_hello *h);
/* To all; those that are gone, or do not take it, are forgotten. */
void apifollow_pass(struct apifollow *f, const struct wire_frame *frame);
void apifollow_say_error(struct apifollow *f, uint32_t stream, const struct err *why);
/* At most APIFOLLOW_MAX entries; how many. */
size_t apifollow_poll(const struct apifollow *f, bool may_type, struct pollfd *fds);
/* What they typed goes to the monitor at fd while *window lasts; fds is apifollow_poll()'s. */
int apifollow_typed(struct apifollow *f, const struct pollfd *fds, int fd, size_t *window,
		    struct err *e);
/* Those that have gone while nothing is read from them. */
void apifollow_sweep(struct apifollow *f, const struct pollfd *fds);
void apifollow_done(struct apifollow *f);
#define auto_apifollow __attribute__((cleanup(apifollow_done)))

#endif
