/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image_make - an image that was not pulled: `import`, `commit` and `build` end here.
 *
 * Its layers are blobs of the store that the stage has leased.  The manifest is OCI's, whatever
 * form the base it stands on came in.
 */
#ifndef ENGINE_IMAGE_MAKE_H
#define ENGINE_IMAGE_MAKE_H

#include "fmt/digest.h"
#include "fmt/oci_image.h"

struct err;
struct image;
struct stage;
struct store;

/* What a new image on top of i begins with: its layers' blobs, bottom first, under OCI's names for
 * their types.  The caller holds STORE_SHARED; blobs and layers are leased in st.  Strings live in
 * a. Errors: ERR_NOT_FOUND a blob that is gone: the new image could not be pushed. */
int image_make_base(struct store *s, struct stage *st, const struct image *i, struct arena *a,
		    struct oci_descriptors *out, struct err *e);

struct image_made {
	char id[DIGEST_LEN + 1], manifest[DIGEST_LEN + 1];
};

/* Write configuration and manifest, and record the image under names (canonical; none: nameless).
 * Takes STORE_SHARED.  Errors: ERR_LIMIT more than OCI_LAYERS_MAX layers. */
int image_make_put(struct store *s, struct stage *st, const struct oci_config *config,
		   const struct oci_descriptors *layers, const struct strs *names,
		   struct image_made *out, struct err *e);

#endif
