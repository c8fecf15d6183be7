/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci_layout - an image source of files in the OCI image layout, wherever they lie.
 * Source: OCI image-spec v1.1, image-layout.md.
 */
#ifndef REGISTRY_OCI_LAYOUT_H
#define REGISTRY_OCI_LAYOUT_H

#include "registry/source.h"

struct oci_layout_files {
	/* Read a file of the layout ("index.json", "blobs/sha256/...") whole. */
	int (*read)(void *arg, const char *name, struct buf *out, struct err *e);
	/* Stream it. */
	int (*stream)(void *arg, const char *name, struct blob_sink *sink, struct err *e);
	void (*close)(void *arg);
};

/* Takes arg over. */
struct source *oci_layout_new(const struct oci_layout_files *files, void *arg);
/* Over a directory; the descriptor is taken over. */
struct source *oci_layout_open_dir(int dir_fd);
/* The same over a directory of the "dir" transport (containers-transports(5)). */
struct source *oci_layout_open_plain(int dir_fd);

#endif
