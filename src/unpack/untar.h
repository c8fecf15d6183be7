/* SPDX-License-Identifier: Apache-2.0 */
/*
 * untar - a layer's tar into a tree and a sink.  libarchive reads the format (ustar, pax, GNU,
 * sparse forms, attributes, ACLs); what an entry may be called and do is decided here:
 *
 *   - names: fmt/tar_name.h.  A later entry of a name replaces the earlier one; a directory over a
 *     directory only changes its attributes.
 *   - a parent that the layer does not contain becomes a directory 0755 of root; a parent that is
 *     anything but a directory is refused (in particular a symbolic link: nothing is ever
 * followed).
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

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct sink;
struct tree;

/* Where the tar's bytes come from: the next piece, 0 at the end, negative errno with *e. */
struct untar_source {
	ssize_t (*next)(void *arg, const void **data, struct err *e);
	void *arg;
};

struct untar_stats {
	uint64_t entries;	 /* tar headers read */
	uint64_t dropped_xattrs; /* attributes left out */
	uint64_t skipped;	 /* entries left out: AUFS bookkeeping */
};

/* Once per process, before it locks itself in: names are bytes, and libarchive hands them through
 * unchanged only in a UTF-8 locale. */
void untar_prepare(void);

/* Read to the end of the archive (not of the source).  Errors: ERR_CORRUPT, ERR_LIMIT,
 * ERR_UNSUPPORTED, the source's and the sink's own; each names the entry. */
int untar_run(const struct untar_source *src, struct tree *t, const struct sink *sink,
	      struct untar_stats *stats, struct err *e);

#endif
