/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rename.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/eventlog.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "engine/update.h"
#include "net/attachment.h"
#include "store/instance.h"
#include "store/store.h"

int rename_instance(struct session *s, const struct lookup *l, const char *name, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct instance i;
	const char *old;
	struct store *store;
	auto_fd int dir = -1;
	int r = session_store(s, &store, e);

	if (*name == '/')
		name++;
	if (r == 0)
		r = instance_check_name(name, e);
	if (r < 0)
		return r;
	dir = instance_lock(store_root_fd(store), l->i.id, e);
	if (dir < 0)
		return dir;
	/* As it is now: it may have been renamed while we waited. */
	r = instance_load(store_root_fd(store), l->i.id, &a, &i, e);
	if (r < 0)
		return r;
	if (streq(i.name, name))
		return err_set(e, ERR_USAGE, "'%s' is its name already", name);
	old = i.name;
	r = instance_rename(store_root_fd(store), dir, &i, name, e);
	if (r == 0) {
		auto_fd int net = attachment_dir(store_run_fd(store), NULL);

		if (net >= 0)
			attachment_rename(net, i.id, name, NULL);
		update_told(s, i.id, name);
		eventlog_instance(store, &i, "rename", "oldName", old);
	}
	return r;
}
