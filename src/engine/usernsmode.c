/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/usernsmode.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/passwd.h"
#include "store/idpool.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SIZE_ROOT 65536
#define SIZE_USER 4096 /* of the 65536 that a user usually has */

/* ---- reading ---- */

static int number(const char *said, const char *v, size_t n, uint32_t *out, struct err *e)
{
	if (!passwd_id(v, n, out))
		return err_set(e, ERR_USAGE, "--userns '%.80s': '%.*s' is not an id", said,
			       (int)(n < 40 ? n : 40), v);
	return 0;
}

static int option(const char *said, const char *o, size_t n, struct usernsmode *m, struct err *e)
{
	const char *size = str_after(o, "size="), *uid = str_after(o, "uid="),
		   *gid = str_after(o, "gid=");
	uint32_t v = 0;
	int r = -1;

	if (str_after(o, "uidmapping=") || str_after(o, "gidmapping="))
		return err_set(e, ERR_UNSUPPORTED, "--userns '%.80s': mappings cannot be given",
			       said);
	if (size && m->kind == USERNSMODE_AUTO) {
		r = number(said, size, n - 5, &m->size, e);
		if (r == 0 && !m->size)
			return err_set(e, ERR_USAGE, "--userns '%.80s': a size of 0", said);
		return r;
	}
	if ((uid || gid) && m->kind == USERNSMODE_KEEP_ID) {
		r = number(said, uid ? uid : gid, n - 4, &v, e);
		*(uid ? &m->uid : &m->gid) = v;
		return r;
	}
	return err_set(e, ERR_USAGE, "--userns '%.80s': '%.*s' means nothing here", said,
		       (int)(n < 40 ? n : 40), o);
}

int usernsmode_parse(const char *said, struct usernsmode *out, struct err *e)
{
	static const struct {
		const char *name;
		enum usernsmode_kind kind;
	} names[] = {{"", USERNSMODE_HOST},
		     {"host", USERNSMODE_HOST},
		     {"auto", USERNSMODE_AUTO},
		     {"keep-id", USERNSMODE_KEEP_ID},
		     {"nomap", USERNSMODE_NOMAP}};
	size_t n = said ? strcspn(said, ":") : 0;
	struct usernsmode m = {.uid = -1, .gid = -1};
	bool known = false;
	int r = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == n && (!n || strncmp(names[i].name, said, n) == 0)) {
			known = true;
			m.kind = names[i].kind;
		}
	if (!known &&
	    (str_after(said, "container:") || str_after(said, "ns:") || streq(said, "private")))
		return err_set(e, ERR_UNSUPPORTED, "--userns '%.80s' is not possible", said);
	if (!known)
		return err_set(
		    e, ERR_USAGE,
		    "--userns wants host, auto[:size=N], keep-id[:uid=N,gid=N] or nomap, "
		    "not '%.80s'",
		    said);
	if (n && said[n] == ':')
		for (const char *o = said + n + 1; r == 0; o += strcspn(o, ",") + 1) {
			r = option(said, o, strcspn(o, ","), &m, e);
			if (!o[strcspn(o, ",")])
				break;
		}
	if (r == 0 && (m.kind == USERNSMODE_KEEP_ID || m.kind == USERNSMODE_NOMAP) &&
	    geteuid() == 0 && !userns_inside())
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "--userns %.*s is for ordinary users: root has no id of its own to %s", (int)n,
		    said, m.kind == USERNSMODE_NOMAP ? "leave out" : "keep");
	if (r == 0)
		*out = m;
	return r;
}

bool usernsmode_shifts(const char *said)
{
	return said && *said && !streq(said, "host");
}

/* ---- maps ---- */

static void add(struct plan_idmaps *l, uint32_t inside, uint32_t outside, uint32_t count)
{
	if (count)
		l->v[l->n++] = (struct plan_idmap){inside, outside, count};
}

/* Which id the user has on the host: the one that is 0 here. */
static uint32_t own_id(const char *file)
{
	auto_free char *text = NULL;
	unsigned int in, out;

	if (file_read(AT_FDCWD, file, 65536, &text) < 0 || sscanf(text, "%u %u", &in, &out) != 2 ||
	    in)
		return 0;
	return out;
}

/* keep: this id inside is the user (0 of the engine); the others follow in their order. */
static void keep_id(struct plan_idmaps *l, uint32_t keep, uint32_t ids)
{
	uint32_t others = ids - 1, before = keep < others ? keep : others;

	add(l, 0, 1, before);
	add(l, keep, 0, 1);
	add(l, keep + 1, before + 1, others - before);
}

int usernsmode_maps(const struct usernsmode *m, const struct store *s, const char *id,
		    struct arena *a, struct usernsmode_maps *out, struct err *e)
{
	uint32_t ids = (uint32_t)userns_ids(), uid, gid, count;
	struct usernsmode_maps x = {.uids = {.v = arena_array(a, 3, sizeof(struct plan_idmap))},
				    .gids = {.v = arena_array(a, 3, sizeof(struct plan_idmap))}};
	struct idpool_range range;
	int r = 0;

	switch (m->kind) {
	case USERNSMODE_HOST:
		break;
	case USERNSMODE_AUTO:
		count = m->size ? m->size : userns_inside() ? SIZE_USER : SIZE_ROOT;
		r = idpool_take(s, id, count, &range, e);
		add(&x.uids, 0, range.first, count);
		add(&x.gids, 0, range.first, count);
		break;
	case USERNSMODE_KEEP_ID:
		uid = m->uid >= 0 ? (uint32_t)m->uid : own_id("/proc/self/uid_map");
		gid = m->gid >= 0 ? (uint32_t)m->gid : own_id("/proc/self/gid_map");
		keep_id(&x.uids, uid, ids);
		keep_id(&x.gids, gid, ids);
		x.user = arena_printf(a, "%u:%u", uid, gid);
		break;
	case USERNSMODE_NOMAP:
		add(&x.uids, 0, 1, ids - 1);
		add(&x.gids, 0, 1, ids - 1);
		break;
	}
	if (r == 0)
		*out = x;
	return r;
}
