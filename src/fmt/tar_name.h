/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_name - names as a layer's tar writes them, made canonical and sorted by what they mean.
 *
 * Canonical: components joined by one slash, none of them empty, "." or "..", none longer than
 * LIMIT_NAME.  "./a", "/a", "a//" are read as "a" (tar programs write all of these); ".." is
 * refused wherever it stands, because no honest layer needs it and every traversal does. Source:
 * OCI image-spec v1.1, layer.md, "Representing Changes" (whiteouts).
 */
#ifndef FMT_TAR_NAME_H
#define FMT_TAR_NAME_H

#include "fmt/limits.h"

#include <stddef.h>

struct err;

enum tar_name_kind {
	TAR_NAME_ENTRY,	   /* .path is the thing itself */
	TAR_NAME_ROOT,	   /* the top directory; .path is "" */
	TAR_NAME_WHITEOUT, /* dir/.wh.NAME: .path is dir/NAME, which is to disappear from below */
	TAR_NAME_OPAQUE,   /* dir/.wh..wh..opq: .path is dir, nothing below it shows through */
	TAR_NAME_META,	   /* anything else of AUFS (.wh..wh.plnk, ...): to be left out */
};

struct tar_name {
	enum tar_name_kind kind;
	size_t len;
	char path[LIMIT_PATH + 1];
};

/* Read a name of len bytes (not NUL-terminated).  Errors: ERR_CORRUPT for "..", a NUL byte, a
 * whiteout of nothing, "." or "..", a whiteout used as a directory; ERR_LIMIT. */
int tar_name_parse(const char *name, size_t len, struct tar_name *out, struct err *e);

/* Next component of a canonical path: returns its length (0 at the end) and moves *path behind it
 * and its slash; *comp is where it starts. */
size_t tar_name_next(const char **path, const char **comp);

#endif
