/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/instance_diff.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/instance_root.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "store/helper.h"
#include "store/store.h"

#include <string.h>

#define LIST_MAX (256u << 20)

static void arguments(const struct plan_rootfs *fs, const struct strs *places, struct arena *a,
		      struct strs *args)
{
	arena_strs_add(a, args, "--changes");
	arena_strs_add(a, args, arena_printf(a, "--of=%s", fs->upper));
	if (fs->layer_ns)
		arena_strs_add(a, args, arena_printf(a, "--layer-ns=%s", fs->layer_ns));
	for (size_t i = 0; i < fs->lower.n; i++)
		arena_strs_add(a, args, arena_printf(a, "--lower=%s", fs->lower.v[i]));
	if (fs->userns_options)
		arena_strs_add(a, args, arena_printf(a, "--option=%s", fs->userns_options));
	for (size_t i = 0; i < places->n; i++)
		arena_strs_add(a, args, arena_printf(a, "--skip=%s", places->v[i]));
}

int instance_diff_list(struct session *s, const char *instance, struct arena *a, struct strs *out,
		       struct err *e)
{
	auto_helper struct helper h = HELPER_INIT;
	auto_free char *text = NULL;
	struct strs places = {0}, args = {0};
	struct plan_rootfs fs = {0};
	struct store *store;
	struct lookup l;
	ssize_t n;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = lookup_find(s, instance, a, &l, e);
	if (r >= 0)
		r = instance_root_no_vm(&l, "diff", e);
	if (r >= 0)
		r = instance_root_stack(s, &l, a, &fs, e);
	if (r < 0 || !fs.upper)
		return r;
	instance_root_places(&l, a, &places);
	arguments(&fs, &places, a, &args);
	r = helper_start(store, "caisson-copy", &args, NULL, 0, &h, e);
	if (r < 0)
		return r;
	n = helper_finish(&h, LIST_MAX, &text, e);
	for (const char *p = text; n > 0 && p < text + n; p += strlen(p) + 1)
		arena_strs_add(a, out, arena_dup(a, p));
	return n < 0 ? (int)n : 0;
}
