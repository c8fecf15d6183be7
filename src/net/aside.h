/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aside - work in the network namespace of an ordinary user's engine.
 *
 * Such an engine is root of a user namespace (sys/userns.h), not of the host's network: its bridges
 * live in one network namespace of its own, held by the process that ns/holder names.  A command
 * can go in there and not back, so a forked child goes, does what root would do on the host, and
 * hands back what it made: text and descriptors, or the error.  While it works it asks its parent,
 * who stays on the host's network, for what only he can do: bind a published port, start the
 * program that connects the namespace with the world (outside.h).
 */
#ifndef NET_ASIDE_H
#define NET_ASIDE_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define ASIDE_FDS_MAX 300

/* What the child made; lists with room for ASIDE_FDS_MAX. */
struct aside_made {
	char *text; /* malloc'ed, or NULL */
	int fds[ASIDE_FDS_MAX];
	size_t n_fds;
};

/* Runs in the child, inside; talk is for the two calls below. */
typedef int aside_fn(void *arg, int talk, struct aside_made *out, struct err *e);

/* Whether there is such a namespace (1), or the network we are in is the one to work in (0). */
int aside_needed(int run_fd);

/* made may be NULL when nothing is wanted.  0, or the child's error. */
int aside_run(int run_fd, aside_fn *fn, void *arg, struct aside_made *made, struct err *e);

/* Asked by the child.  A socket of the host's network as attachment_bind() gives it. */
int aside_bind(int talk, int proto, struct in_addr ip, uint16_t *port);
/* The namespace's way out is not there: start it.  Errors: ERR_UNSUPPORTED no program for it. */
int aside_outside(int talk, struct err *e);

#endif
