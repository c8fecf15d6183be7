/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob - content-addressed bytes: blobs/sha256/<hex>, complete and verified or not there.
 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct stage;
struct store;

/* Read-only descriptor.  ERR_NOT_FOUND. */
int blob_open(const struct store *s, const char *digest, struct err *e);
/* Present, with this many bytes (0: any number)? */
bool blob_have(const struct store *s, const char *digest, uint64_t size);
/* Bytes on disk, 0 if absent. */
uint64_t blob_size(const struct store *s, const char *digest);

/* A small document, whole, at most max bytes, its digest checked again; *data is malloc'ed.
 * ERR_NOT_FOUND, ERR_CORRUPT, ERR_LIMIT. */
int blob_read(const struct store *s, const char *digest, size_t max, char **data, size_t *len,
	      struct err *e);

/* Store a document of ours; digest_out holds DIGEST_LEN + 1 bytes. */
int blob_put(struct store *s, struct stage *st, const void *data, size_t len, char *digest_out,
	     struct err *e);

/* Begin a blob: an empty file in the stage, open for writing.  The writer hashes; then commit:
 * checks the size, syncs and publishes it.  digest NULL: not known yet; blob_identify() names it
 * later. */
int blob_stage(struct stage *st, const char *digest, struct err *e);
int blob_identify(struct stage *st, const char *digest, struct err *e);
/* A file of the stage, of another name, becomes the staged blob: whole and hashed by the caller. */
int blob_adopt(struct stage *st, const char *file, const char *digest, struct err *e);
int blob_commit(struct store *s, struct stage *st, const char *digest, uint64_t size,
		struct err *e);

int blob_remove(const struct store *s, const char *digest);

#endif
