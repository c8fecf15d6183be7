/* SPDX-License-Identifier: Apache-2.0 */
/* buildout - what a build leaves beside the image in the store: archives, its files, a note. */
#ifndef BUILD_BUILDOUT_H
#define BUILD_BUILDOUT_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct builder_result;
struct err;
struct session;

enum buildout_type { BUILDOUT_IMAGE, BUILDOUT_ARCHIVE, BUILDOUT_TAR, BUILDOUT_LOCAL };

struct buildout {
	int type;	  /* enum buildout_type */
	const char *dest; /* "-": stdout; of BUILDOUT_IMAGE NULL */
};

/* "type=oci,dest=x.tar", or a directory alone.  ERR_USAGE, ERR_UNSUPPORTED. */
int buildout_parse(const char *text, struct arena *a, struct buildout *out, struct err *e);

/* Make it of the image that was built. */
int buildout_write(struct session *s, const struct buildout *o, const struct builder_result *built,
		   struct err *e);

/* A JSON object with the digests and names, as docker's tools read it. */
int buildout_metadata(const char *file, const struct builder_result *built, struct err *e);

#endif
