/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/completion.h"
#include "base/str.h"
#include "engine/image_ctl.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "net/network.h"
#include "store/snapshot.h"
#include "store/store.h"
#include "store/volume.h"

static int instances(struct session *s, struct arena *a, struct strs *out, struct err *e)
{
	struct lookups l = {0};
	int r = lookup_all(s, a, &l, e);

	for (size_t i = 0; r == 0 && i < l.n; i++)
		arena_strs_add(a, out, l.v[i].i.name);
	return r;
}

static int images(struct session *s, struct arena *a, struct strs *out, struct err *e)
{
	struct image_rows l = {0};
	int r = image_ctl_list(s, NULL, a, &l, e);

	for (size_t i = 0; r == 0 && i < l.n; i++)
		if (l.v[i].repository && l.v[i].tag)
			arena_strs_add(a, out,
				       arena_printf(a, "%s:%s", l.v[i].repository, l.v[i].tag));
	return r;
}

static int networks(struct store *store, struct arena *a, struct strs *out, struct err *e)
{
	struct networks l = {0};
	int r = network_list(store_root_fd(store), a, &l, e);

	arena_strs_add(a, out, "none");
	arena_strs_add(a, out, "host");
	for (size_t i = 0; r == 0 && i < l.n; i++)
		arena_strs_add(a, out, l.v[i].name);
	return r;
}

static int snapshots(struct store *store, struct arena *a, struct strs *out, struct err *e)
{
	struct snapshots l = {0};
	int r = snapshot_list(store, a, &l, NULL, e);

	for (size_t i = 0; r == 0 && i < l.n; i++)
		arena_strs_add(a, out, l.v[i].name);
	return r;
}

int completion_names(struct session *s, const char *kind, struct arena *a, struct strs *out,
		     struct err *e)
{
	struct store *store;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	if (streq(kind, "instance"))
		return instances(s, a, out, e);
	if (streq(kind, "image"))
		return images(s, a, out, e);
	if (streq(kind, "network"))
		return networks(store, a, out, e);
	if (streq(kind, "snapshot"))
		return snapshots(store, a, out, e);
	return streq(kind, "volume") ? volume_names(store_root_fd(store), a, out, e) : 0;
}
