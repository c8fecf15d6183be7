/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_ctl.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/eventlog.h"
#include "engine/session.h"
#include "fmt/jbind.h"
#include "fmt/json.h"
#include "fmt/reference.h"
#include "fmt/timestamp.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/store.h"

#include <stdlib.h>

/* ---- list ---- */

static int64_t seconds(const char *created)
{
	int64_t ns;

	return created && timestamp_parse(created, &ns) ? ns / 1000000000 : 0;
}

static struct image_row row_of(const struct image_record *r, struct arena *a)
{
	struct image_row row = {.digest = r->source ? r->source : r->manifest,
				.id = r->id,
				.platform = r->platform,
				.created_s = seconds(r->created),
				.size = r->size};
	const char *short_name;
	unsigned int n;

	if (!r->name)
		return row;
	short_name = reference_familiar(a, r->name);
	n = reference_repository(short_name);
	row.repository = arena_dupn(a, short_name, n);
	row.tag = short_name[n] == ':' ? short_name + n + 1 : NULL;
	return row;
}

static int compare(const void *x, const void *y)
{
	const struct image_row *a = x, *b = y;
	int c;

	if (a->created_s != b->created_s)
		return a->created_s > b->created_s ? -1 : 1;
	c = strcmp(a->repository ? a->repository : "", b->repository ? b->repository : "");
	return c ? c : strcmp(a->tag ? a->tag : "", b->tag ? b->tag : "");
}

static bool wanted(const struct image_record *r, const char *like, struct arena *a)
{
	struct reference ref;
	const char *repo;

	if (!like)
		return true;
	if (!r->name || reference_parse(like, a, &ref, NULL) < 0)
		return false;
	if (reference_repository(like) != strlen(like))
		return streq(r->name, reference_canonical(a, &ref));
	repo = arena_printf(a, "%s/%s", ref.domain, ref.path);
	return reference_repository(r->name) == strlen(repo) && str_after(r->name, repo);
}

int image_ctl_list(struct session *s, const char *like, struct arena *a, struct image_rows *out,
		   struct err *e)
{
	struct image_records all;
	struct image_rows rows = {0};
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = image_list(store, a, &all, e);
	if (r < 0)
		return r;
	rows.v = arena_array(a, all.n, sizeof(*rows.v));
	for (size_t i = 0; i < all.n; i++)
		if (wanted(&all.v[i], like, a))
			rows.v[rows.n++] = row_of(&all.v[i], a);
	if (rows.n)
		qsort(rows.v, rows.n, sizeof(*rows.v), compare);
	*out = rows;
	return 0;
}

/* ---- inspect: names as docker has them, so that what reads docker's output reads ours ---- */

struct shown_rootfs {
	const char *type;
	struct strs layers;
};
static const struct jbind_field rootfs_fields[] = {
    JB(struct shown_rootfs, type, "Type", JBIND_STR),
    JB(struct shown_rootfs, layers, "Layers", JBIND_STRS),
    JB_END,
};
static const struct jbind rootfs_table = {sizeof(struct shown_rootfs), rootfs_fields, false};

struct shown {
	const char *id, *created, *author, *architecture, *variant, *os, *config;
	struct strs tags, digests;
	uint64_t size;
	struct shown_rootfs rootfs;
};
static const struct jbind_field fields[] = {
    JB(struct shown, id, "Id", JBIND_STR),
    JB(struct shown, tags, "RepoTags", JBIND_STRS, .flags = JBIND_KEEP),
    JB(struct shown, digests, "RepoDigests", JBIND_STRS, .flags = JBIND_KEEP),
    JB(struct shown, created, "Created", JBIND_STR),
    JB(struct shown, author, "Author", JBIND_STR),
    JB(struct shown, config, "Config", JBIND_RAW, .flags = JBIND_KEEP),
    JB(struct shown, architecture, "Architecture", JBIND_STR),
    JB(struct shown, variant, "Variant", JBIND_STR),
    JB(struct shown, os, "Os", JBIND_STR),
    JB(struct shown, size, "Size", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct shown, rootfs, "RootFS", JBIND_OBJ, .sub = &rootfs_table, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind table = {sizeof(struct shown), fields, false};

static void split_names(struct store *s, struct image *i, struct shown *out)
{
	struct arena *a = &i->arena;
	const struct strs *names = image_names(s, i);
	const char *source = i->record.source ? i->record.source : i->record.manifest;

	for (size_t k = 0; k < names->n; k++) {
		const char *name = reference_familiar(a, names->v[k]);
		const char *digest =
		    arena_printf(a, "%.*s@%s", (int)reference_repository(name), name, source);
		bool seen = false;

		if (!strchr(name, '@'))
			arena_strs_add(a, &out->tags, name);
		for (size_t n = 0; n < out->digests.n; n++)
			seen |= streq(out->digests.v[n], digest);
		if (!seen)
			arena_strs_add(a, &out->digests, digest);
	}
}

/* The members of "config" that we do not know are shown too. */
static const char *raw_config(struct image *i)
{
	auto_json struct json *j = NULL;
	auto_buf struct buf b = BUF_INIT(OCI_CONFIG_MAX * 2);

	if (json_parse(i->config_text, i->config_len, "configuration", &j, NULL) < 0)
		return NULL;
	json_dump(json_member(j, "config"), &b);
	return arena_dupn(&i->arena, b.p, b.len);
}

int image_ctl_inspect(struct session *s, const char *name_or_id, struct buf *out, struct err *e)
{
	struct store *store;
	struct shown shown;
	struct image *i;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = image_find(store, name_or_id, NULL, &i, e);
	if (r < 0)
		return r;
	shown = (struct shown){.id = i->record.id,
			       .created = i->record.created,
			       .author = i->config.author,
			       .architecture = i->config.platform.architecture,
			       .variant = i->config.platform.variant,
			       .os = i->config.platform.os,
			       .config = raw_config(i),
			       .size = i->record.size,
			       .rootfs = {"layers", i->record.layers}};
	split_names(store, i, &shown);
	jbind_write(&table, &shown, out);
	image_close(i);
	return buf_fail(out, "image", e);
}

/* ---- tag, remove ---- */

int image_ctl_tag(struct session *s, const char *name_or_id, const char *name, struct err *e)
{
	struct store *store;
	struct image *i;
	int r = session_store(s, &store, e);
	auto_fd int lock = r < 0 ? r : store_lock(store, STORE_SHARED, e);

	if (lock < 0)
		return lock;
	r = image_find(store, name_or_id, NULL, &i, e);
	if (r < 0)
		return r;
	r = image_tag(store, i, name, e);
	if (r >= 0)
		eventlog_thing(store, "image", "tag", i->record.id, name);
	image_close(i);
	return r;
}

int image_ctl_remove(struct session *s, const char *name_or_id, bool force, struct arena *a,
		     struct image_ctl_removed *out, struct err *e)
{
	struct image_removed done;
	struct store *store;
	int r = session_store(s, &store, e), lock;

	if (r < 0)
		return r;
	/* Under the exclusive lock no instance is between finding the image and recording that it
	 * uses it. */
	lock = store_lock(store, STORE_EXCLUSIVE, e);
	if (lock < 0)
		return lock;
	r = image_remove(store, name_or_id, force, a, &done, e);
	close(lock);
	if (r < 0)
		return r;
	*out = (struct image_ctl_removed){done.untagged, done.deleted};
	for (size_t i = 0; i < done.untagged.n; i++)
		eventlog_thing(store, "image", "untag", done.untagged.v[i], done.untagged.v[i]);
	if (done.deleted)
		eventlog_thing(store, "image", "delete", done.deleted, done.deleted);
	return done.deleted ? gc_run(store, NULL, e) : 0;
}
