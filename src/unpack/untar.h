/* SPDX-License-Identifier: Apache-2.0 */
/*
 * untar - a layer's tar into a tree and a sink.  fmt/tarread.h reads the format; what an entry may
 * be called and do is decided here:
 *
 *   - names: fmt/tar_name.h.  A later entry of a name replaces the earlier one; a directory over a
 *     directory only changes its attributes.
 *   - a parent that the layer does not contain becomes a directory 0755 of root.  One that is a
 *     symbolic link is followed inside this layer, as if its top were "/", where docker and podman
 *     end up too; when that leads to nothing in this layer, or to a file, it is refused, as they
 *     do.  The last name of an entry is never followed: it is replaced.
 *   - hard links name a non-directory that stands earlier in the same layer.
 *   - whiteouts become character devices 0:0, opaque directories an overlay attribute, both hide
 * only what lower layers have: a whiteout of something this layer also brings makes that a
 * replacement.
 *   - overlay's own attributes, security labels except file capabilities, and attributes without a
 *     place in EROFS are left out and counted.
 * Source: OCI image-spec v1.1, layer.md.
 */
#ifndef UNPACK_UNTAR_H
#define UNPACK_UNTAR_H

#include "fmt/tarread.h"

#include <stdint.h>

struct err;
struct sink;
struct tree;

struct untar_stats {
	uint64_t entries;	 /* tar headers read */
	uint64_t dropped_xattrs; /* attributes left out */
	uint64_t skipped;	 /* entries left out: AUFS bookkeeping */
};

/* Read to the end of the archive (not of the source).  The source's error comes back as it is.
 * Errors: ERR_CORRUPT, ERR_LIMIT, ERR_UNSUPPORTED, the source's and the sink's own; each names the
 * entry. */
int untar_run(const struct tarread_source *src, struct tree *t, const struct sink *sink,
	      struct untar_stats *stats, struct err *e);

#endif
