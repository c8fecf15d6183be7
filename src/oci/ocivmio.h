/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocivmio - the stdio on the host of one process in the guest.
 *
 * The descriptors were made by others and are shared with them, so their modes are not ours to
 * change: a pipe or a terminal is opened anew, without blocking; a socket is used with
 * MSG_DONTWAIT; a regular file never blocks for long.
 *
 * What the guest sends ahead of our grants bounds what is held here (docs/protocols/guest.md).
 */
#ifndef OCI_OCIVMIO_H
#define OCI_OCIVMIO_H

#include "base/buf.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OCIVMIO_WINDOW (256u << 10)

struct ocivmio {
	int in, out[2];	 /* -1: closed */
	struct buf q[2]; /* for out[] */
	size_t off[2];	 /* how much of q[] is written */
	bool eof[2];	 /* the process closed it: close behind q[] */
	bool in_eof;	 /* .in has ended; told by the caller when .in_told */
	bool in_told;
	size_t may_send;    /* bytes of input the guest has room for */
	uint32_t ungranted; /* bytes of output written and not granted anew */
	size_t held;	    /* bytes of output taken and not granted anew */
};

/* Takes the descriptors. */
void ocivmio_open(struct ocivmio *io, int in, int out, int err);
void ocivmio_close(struct ocivmio *io);

/* p[0] input, p[1] and p[2] output.  want_input: the process runs and the way there has room. */
void ocivmio_poll(const struct ocivmio *io, bool want_input, struct pollfd p[3]);

/* Output for out[which]; len 0: it was closed.  -EBADMSG: more than was granted. */
int ocivmio_output(struct ocivmio *io, int which, const void *data, size_t len);
/* Write what the descriptors take. */
void ocivmio_flush(struct ocivmio *io);
bool ocivmio_drained(const struct ocivmio *io);

/* At most size bytes of input.  0: none now; sets .in_eof at the end. */
size_t ocivmio_input(struct ocivmio *io, void *data, size_t size);

#endif
