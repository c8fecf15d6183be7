/* SPDX-License-Identifier: Apache-2.0 */
/* image_import - an image of one layer from a tar of a root directory. */
#ifndef ENGINE_IMAGE_IMPORT_H
#define ENGINE_IMAGE_IMPORT_H

#include "engine/image_pull.h"

/* fd: file or pipe.  what: it, in errors.  ref: the image's name, or NULL.  Nothing but the
 * archive's bytes and the host's architecture goes into the image, so the same archive gives the
 * same id. */
int image_import_run(struct store *s, int fd, const char *what, const char *ref, struct arena *a,
		     struct image_pulled *out, struct err *e);

#endif
