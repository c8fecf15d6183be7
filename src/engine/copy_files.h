/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy_files - a copy's other end that is files: an OCI layout, a directory of containers/image, or
 * either kind of archive.
 *
 * Everything is a directory first: the one that was named, or for an archive one in the stage.  A
 * file there is written beside its name and renamed, index.json last.  An archive of docker's kind
 * is a layout with manifest.json beside, as `save` writes it.
 * Source: OCI image-spec v1.1, image-layout.md; containers-transports(5), "dir".
 */
#ifndef ENGINE_COPY_FILES_H
#define ENGINE_COPY_FILES_H

#include "engine/copy_to.h"

struct copy_files;

int copy_files_open(struct stage *stage, const struct copy_end *end, struct copy_files **out,
		    struct err *e);
bool copy_files_have(const struct copy_files *f, const char *digest, uint64_t size);
int copy_files_blob(struct copy_files *f, const char *digest, uint64_t size, int file,
		    struct err *e);
int copy_files_manifest(struct copy_files *f, const struct copy_to_doc *d, struct err *e);
int copy_files_finish(struct copy_files *f, struct err *e);
void copy_files_close(struct copy_files *f);

#endif
