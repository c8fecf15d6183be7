/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_ensure.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_builtin.h"
#include "fmt/reference.h"
#include "store/image.h"
#include "store/store.h"
#include "sys/fd.h"

#include <errno.h>

#define HOLD_TRIES 16 /* pruned again and again by others, while we pull */

/* An id, or the beginning of one, cannot be pulled; nor can what is no name at all. */
static bool can_pull(const char *ref)
{
	auto_arena struct arena a = ARENA_INIT;
	struct reference r;

	return reference_parse(ref, &a, &r, NULL) == 0;
}

int image_ensure(struct store *s, const char *ref, const struct image_pull_opts *o,
		 struct image **out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_pulled pulled;
	struct err why = ERR_INIT;
	int r;

	if (o->policy != IMAGE_PULL_ALWAYS || !can_pull(ref)) {
		r = image_find(s, ref, o->platform, out, &why);
		if (r != -ENOENT || !can_pull(ref) ||
		    (o->policy == IMAGE_PULL_NEVER && !image_builtin_is(ref))) {
			if (r < 0 && e)
				*e = why;
			return r;
		}
	}
	r = image_pull_run(s, ref, o, &a, &pulled, e);
	return r < 0 ? r : image_find(s, ref, o->platform, out, e);
}

/* Pulling cannot be done under the lock, so between finding and locking somebody may have pruned
 * the image: then again. */
int image_ensure_hold(struct store *s, const char *ref, const struct image_pull_opts *o,
		      struct image **out, struct err *e)
{
	for (int tries = 1;; tries++) {
		struct image *image = NULL, *still = NULL;
		int lock, r = image_ensure(s, ref, o, &image, e);

		if (r < 0)
			return r;
		lock = store_lock(s, STORE_SHARED, e);
		r = lock < 0 ? lock : image_find_id(s, image->record.id, &still, e);
		image_close(still);
		if (r == 0) {
			*out = image;
			return lock;
		}
		image_close(image);
		fd_close(lock);
		if (lock < 0 || r != -ENOENT || tries == HOLD_TRIES)
			return r;
		*e = ERR_INIT;
	}
}
