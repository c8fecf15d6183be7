/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_save - images into one archive, as docker save writes it since version 25: an OCI image
 * layout (blobs as they came, so digests stay) with docker's manifest.json beside.  The same images
 * give the same bytes.
 */
#ifndef ENGINE_IMAGE_SAVE_H
#define ENGINE_IMAGE_SAVE_H

struct err;
struct session;
struct strs;

/* names: names, ids or beginnings of ids; an id goes in without name.  Every blob's digest is
 * checked on the way.  ERR_NOT_FOUND, ERR_CORRUPT, ERR_SYSTEM; what was written to fd by then is no
 * archive. */
int image_save_run(struct session *s, const struct strs *names, int fd, struct err *e);

#endif
