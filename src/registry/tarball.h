/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarball - files inside an archive, by name: read whole or streamed, from several threads.
 *
 * The archive is a regular file (maybe compressed).  Each access walks its headers again; skipping
 * over data is a seek where it is not compressed.  Links inside are followed by name, so that the
 * archives of old docker versions, where equal layers are links, can be read.
 */
#ifndef REGISTRY_TARBALL_H
#define REGISTRY_TARBALL_H

#include <stdbool.h>
#include <stdint.h>

struct blob_sink;
struct buf;
struct err;
struct source;
struct tarball;

#define TARBALL_ENTRIES_MAX 20000

/* The descriptor is taken over. ERR_CORRUPT when it is no archive. */
int tarball_open(int fd, struct tarball **out, struct err *e);
void tarball_close(struct tarball *t);
bool tarball_has(const struct tarball *t, const char *name);
/* Bytes of a file.  ERR_NOT_FOUND. */
int tarball_size(const struct tarball *t, const char *name, uint64_t *size, struct err *e);
int tarball_read(struct tarball *t, const char *name, struct buf *out, struct err *e);
/* The first bytes, at most len; returns how many. */
int tarball_peek(struct tarball *t, const char *name, void *data, unsigned long len, struct err *e);
/* Pieces of the file in order to fn until it returns < 0. */
int tarball_walk(struct tarball *t, const char *name,
		 int (*fn)(void *arg, const void *data, unsigned long len, struct err *e),
		 void *arg, struct err *e);
int tarball_stream(struct tarball *t, const char *name, struct blob_sink *sink, struct err *e);

/* An OCI layout inside (oci-archive).  Takes t over. */
struct source *tarball_layout(struct tarball *t);

#endif
