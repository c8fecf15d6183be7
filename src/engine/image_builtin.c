/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_builtin.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "engine/image_transfer.h"
#include "fmt/reference.h"

#include <fcntl.h>
#include <stdio.h>

#define TINY "docker.io/caisson/tiny:latest"

bool image_builtin_is(const char *ref)
{
	auto_arena struct arena a = ARENA_INIT;
	struct reference r;

	return reference_parse(ref, &a, &r, NULL) == 0 && streq(reference_canonical(&a, &r), TINY);
}

int image_builtin_load(struct store *s, const char *ref, const struct image_pull_opts *o,
		       struct arena *a, struct image_pulled *out, struct err *e)
{
	struct image_transfer t = {.store = s, .source = ref, .opts = o};
	auto_fd int dir = -1;
	struct image_fetch_source src = {.transport = "oci"};
	const char *path;
	int r;

	if (!o->data)
		return err_set(e, ERR_NOT_FOUND, "the built-in image is not installed");
	path = arena_printf(a, "%s/tiny", o->data);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "the built-in image '%s'", path);
	src.file = dir;
	arena_strs_add(a, &t.names, TINY);
	r = image_fetch_start(s, &src, &t.fetch, e);
	if (r < 0)
		return r;
	r = image_transfer(&t, a, out, e);
	image_fetch_stop(t.fetch);
	return r;
}
