/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - a blob read, checked, inflated and checked again while somebody consumes the result.
 *
 *   read -> SHA-256 (blob) -> inflate -> ring of buffers -> SHA-256 (diff id)   thread 1, thread 2
 *                                                        -> stream_next()       the caller
 *
 * Inflating costs most (0.75 GB/s of output with igzip), the second hash about as much as the
 * caller needs for writing: three threads fill two cores.  A buffer goes back to the producer when
 * both consumers are through with it.  The first error stops all three and is what every call
 * returns.
 */
#ifndef UNPACK_STREAM_H
#define UNPACK_STREAM_H

#include "fmt/digest.h"

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct stream;

struct stream_opts {
	int in_fd;
	int progress_fd;	 /* -1: none; gets lines "<blob bytes> <tar bytes>" */
	uint64_t max_bytes;	 /* of the uncompressed stream */
	const char *blob_digest; /* what the caller expects, NULL: anything */
	int64_t blob_size;	 /* -1: anything */
	const char *diff_id;	 /* NULL: anything */
	bool any_codec;		 /* xz and bzip2, too */
};

struct stream_result {
	char blob_digest[DIGEST_LEN + 1];
	char diff_id[DIGEST_LEN + 1];
	uint64_t blob_size, tar_size;
	/* CPU time of the threads, for those who tune. */
	int64_t blob_hash_ns, inflate_ns, tar_hash_ns;
};

/* CPU time of the calling thread so far. */
int64_t stream_cpu_ns(void);

/* Load what the hashes need (OpenSSL opens files for that): before the process locks itself in. */
int stream_prepare(struct err *e);

/* Start the threads.  opts is copied, its strings are borrowed. */
int stream_open(const struct stream_opts *opts, struct stream **out, struct err *e);

/* The next piece of the uncompressed stream, valid until the next call.  Returns its length, 0 at
 * the end, or the stream's error. */
ssize_t stream_next(struct stream *s, const void **data, struct err *e);

/* Read what is left, wait for the threads and compare digests and sizes with what was expected.
 * Bytes left over must be zeros (the padding of a tar): anything else is ERR_CORRUPT. */
int stream_finish(struct stream *s, struct stream_result *out, struct err *e);

/* Stops what still runs. */
void stream_close(struct stream *s);

#endif
