/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image - what was pulled: a manifest, its configuration and layers, under names.
 *
 * images/ holds one small JSON file per name ("record"), which says all that listing, finding and
 * collecting need, so that none of them parses configurations.  An image that lost its last name
 * keeps a nameless record until it is removed.  Names are canonical
 * ("docker.io/library/debian:12"). An image's id is the digest of its configuration, as docker's
 * is.
 */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include "base/arena.h"
#include "fmt/oci_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct stage;
struct store;

struct image_record {
	const char *name;     /* canonical; NULL for a nameless one */
	const char *id;	      /* "sha256:..." of the configuration */
	const char *manifest; /* digest */
	const char *source;   /* digest the name stood for: the manifest's or an index's */
	const char *created;  /* RFC 3339, of the configuration; may be NULL */
	const char *platform; /* "linux/amd64" */
	const char *chain;    /* 64 hex digits: names the layers together, metas/<chain>.erofs */
	uint64_t size;	      /* bytes of all layers unpacked */
	struct strs layers;   /* diff ids, bottom first */
	struct strs blobs;    /* digests of the compressed layers, bottom first */
	struct strs others;   /* digests of what else belongs to `source`: the other platforms */
	struct strs attests;  /* digests of what is said about it (engine/attest.h) */
};
struct image_records {
	struct image_record *v;
	size_t n;
};

struct image {
	struct arena arena; /* owns everything below */
	struct image_record record;
	struct strs names;	  /* filled by image_names() */
	struct oci_config config; /* parsed */
	const char *config_text;  /* its bytes */
	size_t config_len;
};

/* By name ("debian", "localhost:5000/x:1", "x@sha256:..."), by id, or by the beginning of an id.
 * platform: "linux/arm64" or NULL; an image of another platform is not found.
 * Errors: ERR_NOT_FOUND "no image 'x'", ERR_USAGE malformed or ambiguous, ERR_CORRUPT. */
int image_find(struct store *s, const char *name_or_id, const char *platform, struct image **out,
	       struct err *e);
/* The image with exactly this id ("sha256:..."), named or not. */
int image_find_id(struct store *s, const char *id, struct image **out, struct err *e);
void image_close(struct image *i);
/* All canonical names of this image, its own first.  Borrowed from it. */
const struct strs *image_names(struct store *s, struct image *i);

/* All records, unsorted.  Unreadable ones are skipped. */
int image_list(struct store *s, struct arena *a, struct image_records *out, struct err *e);

/* Record the image whose manifest, configuration and layers are in the store, under names
 * (canonical; none: nameless).  source: digest the reference stood for, or NULL.  A name's former
 * image that has no other name stays as a nameless one.  Returns the id in id_out (DIGEST_LEN + 1
 * bytes). */
int image_commit(struct store *s, struct stage *st, const char *manifest, const char *source,
		 const struct strs *names, char *id_out, struct err *e);

/* The same, where everything that the index `source` names is in the store: others are the digests
 * of what the image itself does not need. */
int image_commit_whole(struct store *s, struct stage *st, const char *manifest, const char *source,
		       const struct strs *others, const struct strs *names, char *id_out,
		       struct err *e);

/* Every record of this manifest names these blobs from now on, in the place of such it had. */
int image_attest(struct store *s, const char *manifest, const struct strs *digests, struct err *e);

/* Give an image one more name. */
int image_tag(struct store *s, const struct image *i, const char *name, struct err *e);

/* What image_remove() did; strings in the caller's arena. */
struct image_removed {
	struct strs untagged; /* familiar names */
	const char *deleted;  /* id, or NULL when another name or an instance still holds it */
};
/* Take the name away, or, by id, all names (more than one only with force); without names the
 * record goes.  Data is left to gc_run().  ERR_CONFLICT in use by an instance (force: names go,
 * record stays). */
int image_remove(struct store *s, const char *name_or_id, bool force, struct arena *a,
		 struct image_removed *out, struct err *e);

/* Id (64 hex digits or what its record calls it) of an instance that uses this image; NULL if none.
 * Reads "image_id" of instances/<id>/record.json. */
const char *image_user(struct store *s, const char *id, struct arena *a);

/* Hex digits that name a list of layers: OCI image-spec v1.1, config.md, "Layer ChainID". */
const char *image_chain(const struct strs *diff_ids, struct arena *a);

#endif
