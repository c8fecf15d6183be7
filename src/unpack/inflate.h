/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflate - a layer blob's compression, found by its first bytes: gzip (all members), zstd (all
 * frames, skippable ones too) or none.  Push compressed bytes in, take plain bytes out; no threads,
 * no descriptors.  Source: RFC 1952, RFC 8878; OCI image-spec v1.1, layer.md, media types.
 */
#ifndef UNPACK_INFLATE_H
#define UNPACK_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct inflate;

/* Enough first bytes to decide. */
#define INFLATE_MAGIC 6

/* head: the first bytes of the blob, fewer than INFLATE_MAGIC only when it ends there.  any: xz and
 * bzip2, too: it is an archive that somebody wants unpacked, and no layer.
 * Errors: ERR_UNSUPPORTED, naming a compression that OCI layers do not have. */
int inflate_new(const uint8_t *head, size_t len, bool any, struct inflate **out, struct err *e);
void inflate_free(struct inflate *z);

/* Moves *in and *out forward as far as one of them goes; returns 0, or ERR_CORRUPT.  Everything
 * that can be had from the input is out when it returns with room left in out. */
int inflate_run(struct inflate *z, const uint8_t **in, size_t *in_len, uint8_t **out,
		size_t *out_len, struct err *e);

/* Called at the end of input: ERR_CORRUPT when a member or frame is cut off. */
int inflate_end(const struct inflate *z, struct err *e);

const char *inflate_name(const struct inflate *z); /* "gzip", "zstd", "none", ... */

#endif
