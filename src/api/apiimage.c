/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apiimage.h"
#include "api/apicall.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_ctl.h"
#include "engine/image_history.h"
#include "engine/members.h"
#include "engine/prune.h"
#include "engine/usage.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <string.h>

/* ---- list ---- */

struct list_query {
	const char *like; /* NULL: all */
	int dangling;	  /* -1: both */
};

static int list_query(struct apicall *c, struct list_query *q, struct err *e)
{
	struct strs f;
	int r = apicall_filters(c, &f, e);

	*q = (struct list_query){.dangling = -1};
	for (size_t i = 0; r == 0 && i < f.n; i++) {
		const char *like = str_after(f.v[i], "reference=");
		const char *dangling = str_after(f.v[i], "dangling=");

		if (like && !q->like && !strpbrk(like, "*?["))
			q->like = like;
		else if (dangling)
			q->dangling = streq(dangling, "true") || streq(dangling, "1");
		else
			r = err_set(e, ERR_UNSUPPORTED,
				    "filter '%.60s' of images is not there yet: dangling and one "
				    "reference without wildcards are",
				    f.v[i]);
	}
	return r;
}

void apiimage_row(struct apicall *c, struct members *w, const struct image_rows *all, size_t at,
		  const struct usage_image *u)
{
	const struct image_row *v = &all->v[at];
	struct strs tags = {0}, digests = {0};

	for (size_t i = at; i < all->n; i++) {
		const struct image_row *o = &all->v[i];

		if (!streq(o->id, v->id) || !o->repository)
			continue;
		if (o->tag)
			arena_strs_add(c->a, &tags,
				       arena_printf(c->a, "%s:%s", o->repository, o->tag));
		if (o->digest)
			arena_strs_add(c->a, &digests,
				       arena_printf(c->a, "%s@%s", o->repository, o->digest));
	}
	members_str(w, "Id", v->id);
	members_str(w, "ParentId", "");
	members_list(w, "RepoTags", &tags, "[]");
	members_list(w, "RepoDigests", &digests, "[]");
	members_num(w, "Created", v->created_s);
	members_num(w, "Size", (int64_t)(u ? u->bytes : v->size));
	members_num(w, "VirtualSize", (int64_t)(u ? u->bytes : v->size));
	members_num(w, "SharedSize", u ? (int64_t)u->shared : -1);
	members_num(w, "Containers", u ? (int64_t)u->instances : -1);
	members_raw(w, "Labels", "null");
}

bool apiimage_seen(const struct image_rows *all, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (streq(all->v[i].id, all->v[at].id))
			return true;
	return false;
}

int apiimage_list(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct image_rows all;
	struct list_query q;
	bool first = true;
	int r = list_query(c, &q, e);

	if (r == 0)
		r = image_ctl_list(c->s, q.like, c->a, &all, e);
	if (r < 0)
		return r;
	buf_puts(&b, "[");
	for (size_t i = 0; i < all.n; i++) {
		bool dangling = !all.v[i].repository || !all.v[i].tag;

		if (apiimage_seen(&all, i) || (q.dangling >= 0 && dangling != q.dangling))
			continue;
		buf_puts(&b, first ? "{" : ",{");
		first = w.comma = false;
		apiimage_row(c, &w, &all, i, NULL);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]\n");
	return apicall_json(c, 200, &b, e);
}

int apiimage_inspect(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	int r = image_ctl_inspect(c->s, c->id, &b, e);

	if (r == 0 && apicall_query(c, "platform"))
		return err_set(e, ERR_UNSUPPORTED, "parameter 'platform' is not there yet");
	return r < 0 ? r : apicall_json(c, 200, &b, e);
}

int apiimage_history(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct image_steps l;
	int r = image_history_list(c->s, c->id, c->a, &l, e);

	if (r == 0 && apicall_query(c, "platform"))
		return err_set(e, ERR_UNSUPPORTED, "parameter 'platform' is not there yet");
	if (r < 0)
		return r;
	buf_puts(&b, "[");
	for (size_t i = 0; i < l.n; i++) {
		buf_puts(&b, i ? ",{" : "{");
		w.comma = false;
		members_str(&w, "Id", l.v[i].id ? l.v[i].id : "<missing>");
		members_num(&w, "Created", l.v[i].created_s);
		members_str(&w, "CreatedBy", l.v[i].created_by);
		members_raw(&w, "Tags", "null");
		members_num(&w, "Size", (int64_t)l.v[i].size);
		members_str(&w, "Comment", l.v[i].comment);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]\n");
	return apicall_json(c, 200, &b, e);
}

/* ---- names ---- */

int apiimage_tag(struct apicall *c, struct err *e)
{
	const char *repo = apicall_query(c, "repo"), *tag = apicall_query(c, "tag");
	int r;

	if (!repo)
		return err_set(e, ERR_USAGE, "parameter 'repo' is missing");
	r = image_ctl_tag(c->s, c->id, tag ? arena_printf(c->a, "%s:%s", repo, tag) : repo, e);
	return r < 0 ? r : exchange_send(c->x, 201, NULL, "", 0, e);
}

static void removed(struct buf *b, const char *key, const char *what, bool *first)
{
	buf_printf(b, "%s{\"%s\":", *first ? "" : ",", key);
	json_quote(b, what);
	buf_puts(b, "}");
	*first = false;
}

int apiimage_remove(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct image_ctl_removed done = {0};
	bool first = true;
	int r;

	if (apicall_yes(c, "noprune") || apicall_query(c, "platforms"))
		return err_set(e, ERR_UNSUPPORTED, "noprune and platforms are not possible");
	r = image_ctl_remove(c->s, c->id, apicall_yes(c, "force"), c->a, &done, e);
	if (r < 0)
		return r;
	buf_puts(&b, "[");
	for (size_t i = 0; i < done.untagged.n; i++)
		removed(&b, "Untagged", done.untagged.v[i], &first);
	if (done.deleted)
		removed(&b, "Deleted", done.deleted, &first);
	buf_puts(&b, "]\n");
	return apicall_json(c, 200, &b, e);
}

int apiimage_prune(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct prune_result done = {0};
	struct prune_opts o = {0};
	bool first = true;
	struct strs f;
	int r = apicall_filters(c, &f, e);

	/* As docker: dangling ones only, unless dangling=false. */
	for (size_t i = 0; r == 0 && i < f.n; i++) {
		const char *v = str_after(f.v[i], "dangling=");

		if (v)
			o.all = streq(v, "false") || streq(v, "0");
		else
			arena_strs_add(c->a, &o.filters, f.v[i]);
	}
	if (r == 0)
		r = prune_images(c->s, &o, c->a, &done, e);
	if (r < 0)
		return r;
	buf_puts(&b, "{\"ImagesDeleted\":[");
	for (size_t i = 0; i < done.untagged.n; i++)
		removed(&b, "Untagged", done.untagged.v[i], &first);
	for (size_t i = 0; i < done.deleted.n; i++)
		removed(&b, "Deleted", done.deleted.v[i], &first);
	buf_printf(&b, "],\"SpaceReclaimed\":%" PRIu64 "}\n", done.bytes);
	return apicall_json(c, 200, &b, e);
}
