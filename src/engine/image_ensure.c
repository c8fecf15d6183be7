/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_ensure.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_builtin.h"
#include "fmt/reference.h"
#include "store/image.h"

#include <errno.h>

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
