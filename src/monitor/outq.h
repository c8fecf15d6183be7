/* SPDX-License-Identifier: Apache-2.0 */
/* outq - bytes that wait until a non-blocking descriptor takes them.  The owner bounds .len. */
#ifndef MONITOR_OUTQ_H
#define MONITOR_OUTQ_H

#include <stddef.h>

struct outq {
	char *p;
	size_t off, len, cap; /* p[off .. off+len) waits */
};
#define OUTQ_INIT ((struct outq){0})

void outq_add(struct outq *q, const void *data, size_t len);
/* Drop n bytes at the front. */
void outq_took(struct outq *q, size_t n);
/* Write what the descriptor takes: bytes written, or -errno (never -EAGAIN). */
long outq_flush(struct outq *q, int fd);
void outq_done(struct outq *q);

#endif
