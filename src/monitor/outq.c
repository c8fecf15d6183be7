/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/outq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void outq_add(struct outq *q, const void *data, size_t len)
{
	if (!len)
		return;
	if (q->off && q->off + q->len + len > q->cap) {
		memmove(q->p, q->p + q->off, q->len);
		q->off = 0;
	}
	if (q->len + len > q->cap) {
		q->cap = q->len + len > 2 * q->cap ? q->len + len : 2 * q->cap;
		q->p = realloc(q->p, q->cap);
		if (!q->p)
			abort();
	}
	memcpy(q->p + q->off + q->len, data, len);
	q->len += len;
}

void outq_took(struct outq *q, size_t n)
{
	q->off += n;
	q->len -= n;
	/* An idle monitor keeps no buffers. */
	if (!q->len)
		outq_done(q);
}

long outq_flush(struct outq *q, int fd)
{
	long done = 0;

	while (q->len) {
		ssize_t n = write(fd, q->p + q->off, q->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? done : -errno;
		outq_took(q, (size_t)n);
		done += n;
	}
	return done;
}

void outq_done(struct outq *q)
{
	free(q->p);
	*q = OUTQ_INIT;
}
