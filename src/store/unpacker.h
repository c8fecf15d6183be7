/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unpacker - the caisson-unpack program at work on one layer of ours.
 *
 * It reads the (compressed) layer from a descriptor, checks the digests it is told, writes into the
 * stage, and says what it made; what it says about digests is believed, because it alone saw the
 * bytes.
 */
#ifndef STORE_UNPACKER_H
#define STORE_UNPACKER_H

#include "store/layer.h"

#include <stdbool.h>

struct strs;
struct unpacker;

struct unpacker_job {
	int in_fd; /* a pipe or the blob; the caller closes its copy after the start */
	const char *blob_digest; /* NULL: not known; else it must fit */
	uint64_t blob_size;	 /* 0: not known */
	const char *diff_id;	 /* likewise */
	int form;		 /* enum layer_form */
	bool archive;		 /* somebody's, to be unpacked: compressed with anything */
};

int unpacker_start(struct store *s, struct stage *st, const struct unpacker_job *job,
		   struct unpacker **out, struct err *e);
/* Wait for its end and commit the layer; *l (strings in a) says what came out.  Frees u. */
int unpacker_finish(struct unpacker *u, struct arena *a, struct layer *l, struct err *e);
/* Readable when it has ended or is about to. */
int unpacker_fd(const struct unpacker *u);
/* Kill it, forget what it did.  Frees u; NULL is fine. */
void unpacker_cancel(struct unpacker *u);

/* The layer in this form; made again from its blob when it is not there. blob_digest may be NULL
 * when only a look is wanted. */
int unpacker_need(struct store *s, const char *diff_id, const char *blob_digest,
		  enum layer_form form, struct arena *a, struct layer *out, struct err *e);

/* metas/<chain>.erofs, made by one run over the layer files (paths, bottom first); its path in
 * *out. */
int unpacker_meta(struct store *s, const char *chain, const struct strs *layers, struct arena *a,
		  const char **out, struct err *e);

/* The same into the stage only, whatever is published: a descriptor of it for reading. */
int unpacker_meta_stage(struct store *s, struct stage *st, const char *chain,
			const struct strs *layers, struct arena *a, struct err *e);

#endif
