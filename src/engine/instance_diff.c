/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/instance_diff.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/instance_root.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "engine/vmfiles.h"
#include "store/helper.h"
#include "store/store.h"

#include <string.h>

#define LIST_MAX (256u << 20)

static void arguments(const struct plan_rootfs *fs, struct arena *a, struct strs *args)
{
	arena_strs_add(a, args, arena_printf(a, "--of=%s", fs->upper));
	if (fs->layer_ns)
		arena_strs_add(a, args, arena_printf(a, "--layer-ns=%s", fs->layer_ns));
	for (size_t i = 0; i < fs->lower.n; i++)
		arena_strs_add(a, args, arena_printf(a, "--lower=%s", fs->lower.v[i]));
	if (fs->fuse)
		arena_strs_add(a, args, "--fuse-marks");
	if (fs->userns_options)
		arena_strs_add(a, args, arena_printf(a, "--option=%s", fs->userns_options));
}

/* words: the request. */
static int of_container(struct session *s, const struct lookup *l, struct strs *words,
			struct arena *a, struct buf *out, struct err *e)
{
	auto_helper struct helper h = HELPER_INIT;
	auto_free char *text = NULL;
	struct plan_rootfs fs = {0};
	struct store *store;
	ssize_t n;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = instance_root_stack(s, l, a, &fs, e);
	if (r < 0 || !fs.upper)
		return r;
	arguments(&fs, a, words);
	r = helper_start(store, "caisson-copy", words, NULL, 0, &h, e);
	if (r < 0)
		return r;
	n = helper_finish(&h, LIST_MAX, &text, e);
	if (n > 0)
		buf_add(out, text, (size_t)n);
	return n < 0 ? (int)n : 0;
}

int instance_diff_list(struct session *s, const char *instance, struct arena *a, struct strs *out,
		       struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIST_MAX);
	struct strs places = {0}, words = {0};
	struct lookup l;
	int r = lookup_find(s, instance, a, &l, e);

	if (r >= 0)
		r = instance_root_vm(&l, e);
	if (r < 0)
		return r;
	arena_strs_add(a, &words, "--changes");
	instance_root_places(&l, a, &places);
	for (size_t i = 0; i < places.n; i++)
		arena_strs_add(a, &words, arena_printf(a, "--skip=%s", places.v[i]));
	r = r ? vmfiles_run(
		    s, &l.i,
		    &(struct vmfiles){.words = &words, .in = -1, .out = -1, .answer = &text}, e)
	      : of_container(s, &l, &words, a, &text, e);
	/* Each ends with a NUL; a guest that says otherwise meets the buffer's own. */
	for (const char *p = text.p; r >= 0 && p < text.p + text.len; p += strlen(p) + 1)
		arena_strs_add(a, out, arena_dup(a, p));
	return r;
}
