/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handshake - the few messages between the parent and the process it makes, over a SOCK_SEQPACKET
 * pair: one message, one packet, fixed size, perhaps one descriptor or several.
 */
#ifndef RUNTIME_HANDSHAKE_H
#define RUNTIME_HANDSHAKE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum handshake_op {
	HANDSHAKE_NONE,
	/* child to parent */
	HANDSHAKE_MAP,	   /* stage: my user namespace is there, write its maps */
	HANDSHAKE_CHILD,   /* stage: .value is the pid of the process proper */
	HANDSHAKE_CONSOLE, /* with the terminal's master */
	HANDSHAKE_WANT,	   /* a bind source or the root (sources.h) */
	HANDSHAKE_HOOKS,   /* mounted, not yet pivoted: run prestart and createRuntime */
	HANDSHAKE_READY,   /* waiting before execve */
	HANDSHAKE_FAILED,  /* .err */
	/* parent to child */
	HANDSHAKE_MAPPED, /* go on; .value is your pid in my namespace */
	HANDSHAKE_SOURCE, /* answer to WANT, with the descriptor unless it is the child's to open */
	HANDSHAKE_PLACED, /* you are in your cgroup; .value is your pid in my namespace */
	HANDSHAKE_HOOKED, /* hooks are done */
	HANDSHAKE_START,
	HANDSHAKE_OP_MAX_
};

struct handshake {
	uint32_t op;
	int32_t value;
	struct err err; /* HANDSHAKE_FAILED only; otherwise not sent */
};

/* fd: -1 or one descriptor that goes along. */
int handshake_send(int sock, enum handshake_op op, int32_t value, int fd, struct err *e);

/* Report *why; best effort. */
void handshake_fail(int sock, const struct err *why);

/* Next message; *fd (may be NULL) is the descriptor that came along or -1.  1, or 0 when the other
 * side is gone, or negative errno.  A HANDSHAKE_FAILED message is checked and returned as its
 * errno, with *e. */
int handshake_recv(int sock, struct handshake *h, int *fd, struct err *e);

/* Wait for exactly op; anything else, also the end of the other side, is an error. */
int handshake_expect(int sock, enum handshake_op op, struct handshake *h, int *fd, struct err *e);

#endif
