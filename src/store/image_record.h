/* SPDX-License-Identifier: Apache-2.0 */
/* image_record - the files of images/: one per name, read, written and listed. */
#ifndef STORE_IMAGE_RECORD_H
#define STORE_IMAGE_RECORD_H

#include "store/image.h"

/* File name for a canonical name; for a nameless record, of its manifest. */
const char *image_record_file(const struct image_record *r, struct arena *a);

/* Read one by file name.  ERR_NOT_FOUND, ERR_CORRUPT. */
int image_record_read(const struct store *s, const char *file, struct arena *a,
		      struct image_record *out, struct err *e);
/* Durable, by rename. */
int image_record_write(const struct store *s, const struct image_record *r, struct err *e);
int image_record_unlink(const struct store *s, const struct image_record *r, struct err *e);

/* All readable ones, unsorted. */
int image_record_list(struct store *s, struct arena *a, struct image_records *out, struct err *e);

#endif
