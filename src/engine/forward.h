/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward - starts caisson-forward for an instance of an ordinary user's engine, whose published
 * ports no packet filter of the host translates.
 */
#ifndef ENGINE_FORWARD_H
#define ENGINE_FORWARD_H

struct arena;
struct attach_result;
struct err;
struct session;

/* Start it for what the result says is published; it owns the sockets from then on.  Returns its
 * life line, which the monitor inherits: it ends when the last copy is closed.  -ENOENT (no error
 * set) when there is nothing to forward, or root's engine does it in the kernel. */
int forward_start(struct session *s, const struct attach_result *net, struct arena *a,
		  struct err *e);

#endif
