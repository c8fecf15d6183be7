/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_sink - where the bytes of one blob go: counted against the size it must have, hashed,
 * written to a file and, as they come, into a pipe.  A reader of the pipe that goes away does not
 * stop the blob: whether the bytes were the right ones is still found out.
 */
#ifndef REGISTRY_BLOB_SINK_H
#define REGISTRY_BLOB_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob_sink;
struct err;

typedef void blob_sink_report(void *arg, uint64_t got);

/* file, pipe (-1: none): borrowed.  report is called now and then. */
struct blob_sink *blob_sink_new(int file, int pipe, const char *digest, uint64_t size,
				blob_sink_report *report, void *arg);
/* The first `have` bytes are in the file: hash them, hand them to the pipe, go on behind them.
 * Before anything is written.  ERR_CORRUPT fewer are there. */
int blob_sink_resume(struct blob_sink *s, uint64_t have, struct err *e);
/* ERR_CORRUPT more bytes than there may be, ERR_SYSTEM. */
int blob_sink_write(struct blob_sink *s, const void *data, size_t len, struct err *e);
uint64_t blob_sink_got(const struct blob_sink *s);
/* Did writing fail, or come too much?  Another sender would not help. */
bool blob_sink_failed(const struct blob_sink *s);
uint64_t blob_sink_size(const struct blob_sink *s);
/* All there, and the right bytes?  ERR_CORRUPT. */
int blob_sink_finish(struct blob_sink *s, struct err *e);
void blob_sink_free(struct blob_sink *s);

#endif
