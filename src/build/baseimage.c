/* SPDX-License-Identifier: Apache-2.0 */
#include "build/baseimage.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "build/lockfile.h"
#include "engine/image_ensure.h"
#include "engine/image_make.h"
#include "engine/registry_ctl.h"
#include "engine/session.h"
#include "fmt/reference.h"
#include "store/image.h"
#include "store/store.h"

#include <string.h>

/* What an image of --build-context NAME=oci-layout://DIR is called, until the next one. */
#define LAYOUT_NAME "localhost/build-context:latest"

/* The name that a lock file may pin: canonical; NULL for what says itself which image it is. */
static const char *lockable(const struct baseimage *b, const char *ref, struct arena *a)
{
	struct reference r;

	if ((!b->lock->path && !b->lock->note) || str_after(ref, "oci:") || reference_parse(ref, a, &r, NULL) < 0 ||
	    r.digest)
		return NULL;
	return reference_canonical(a, &r);
}

static const char *stands_for(const struct image *i)
{
	return i->record.source ? i->record.source : i->record.manifest;
}

/* What the name means by now: here, or when newer ones were asked for, where it comes from. */
static const char *means_now(const struct baseimage *b, const char *name, struct arena *a)
{
	struct registry_ctl_doc doc;
	struct image *i = NULL;
	const char *out = NULL;

	if (b->pull && registry_ctl_manifest(b->store, name, a, &doc, NULL) >= 0)
		return doc.digest;
	if (image_find(b->store, name, NULL, &i, NULL) >= 0)
		out = arena_dup(a, stands_for(i));
	image_close(i);
	return out;
}

static const char *as_pinned(const struct baseimage *b, const char *name, const char *digest,
			     struct arena *a)
{
	const char *now = means_now(b, name, a);
	struct image *i = NULL;
	const char *ref = arena_printf(a, "%.*s@%s", (int)reference_repository(name), name, digest);

	if (now && !streq(now, digest) &&
	    /* Its own manifest instead of the index it stood for is no other image. */
	    (image_find(b->store, ref, NULL, &i, NULL) < 0 ||
	     (!streq(now, i->record.manifest) && !streq(now, stands_for(i)))))
		b->drifted(b->ctx,
			   arena_printf(a, "drift: %s is %s by now; %s keeps %s",
					reference_familiar(a, name), now, b->lock->path, digest));
	image_close(i);
	return ref;
}

int baseimage_hold(const struct baseimage *b, const char *ref, struct arena *a, struct image **out,
		   struct oci_descriptors *layers, struct err *e)
{
	struct image_pull_opts pull = {.data = b->s->data,
				       .policy = b->pull ? IMAGE_PULL_ALWAYS : IMAGE_PULL_MISSING,
				       .signature_policy = b->s->signature_policy};
	const char *name = lockable(b, ref, a);
	const char *pin = name ? lockfile_find(b->lock, LOCKFILE_IMAGE, name) : NULL;
	struct image_pulled layout;
	auto_fd int lock = -1;
	int r = 0;

	if (pin) {
		ref = as_pinned(b, name, pin, a);
		pull.policy = IMAGE_PULL_MISSING; /* there is no newer one of a digest */
	}
	if (str_after(ref, "oci:")) {
		pull.as = LAYOUT_NAME;
		r = image_pull_run(b->store, ref, &pull, a, &layout, e);
		ref = r < 0 ? NULL : layout.id;
	}
	lock = r < 0 ? r : image_ensure_hold(b->store, ref, &pull, out, e);
	if (lock < 0)
		return pin ? err_wrap(e, lock, "--lock '%s'", b->lock->path) : lock;
	/* An id, or the beginning of one, is none of a registry's names. */
	if (name && !pin && arena_strs_has(image_names(b->store, *out), name))
		b->pinned(b->ctx, name, stands_for(*out));
	return image_make_base(b->store, b->lease, *out, a, layers, e);
}
