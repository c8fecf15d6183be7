/* SPDX-License-Identifier: Apache-2.0 */
/* storeinfo - the layers of the images that are here: in which form each is kept, and changing it.
 */
#ifndef ENGINE_STOREINFO_H
#define ENGINE_STOREINFO_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;
struct session;

/* A layer in one form; one that is there in two forms is two rows, one that is in none has form
 * NULL. */
struct storeinfo_row {
	const char *layer; /* diff id */
	const char *form;  /* "erofs" or "dir" */
	uint64_t size, tar_size, blob_size, entries;
	const char *blob; /* digest of the compressed layer; NULL: not known */
	bool have_blob;
	const char *verity; /* fs-verity digest, NULL: not on */
	uint64_t images;    /* that have it */
};
struct storeinfo {
	const char *wanted; /* the form in which this host wants layers */
	struct storeinfo_row *v;
	size_t n;
};

/* image: only its layers, bottom first; NULL: of all images. */
int storeinfo_list(struct session *s, const char *image, struct arena *a, struct storeinfo *out,
		   struct err *e);

struct storeinfo_convert {
	const char *image; /* NULL: of all images */
	int form;	   /* enum layer_form, -1: as it is */
	bool keep;	   /* the other form too */
	bool verity;
	/* One line for each layer that something was done about. */
	void (*tell)(const char *line, void *arg);
	void *arg;
};
/* Make every layer again in that form from its blob, then remove the other one (a directory that an
 * instance uses stays, and is told).  Errors: ERR_NOT_FOUND no blob, ERR_UNSUPPORTED fs-verity. */
int storeinfo_convert(struct session *s, const struct storeinfo_convert *o, struct err *e);

#endif
