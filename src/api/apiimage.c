/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apiimage.h"
#include "api/apicall.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_ctl.h"
#include "engine/image_history.h"
#include "engine/image_pull.h"
#include "engine/members.h"
#include "engine/prune.h"
#include "engine/session.h"
#include "engine/usage.h"
#include "fmt/docker_config.h"
#include "fmt/json.h"
#include "fmt/reference.h"

#include <inttypes.h>
#include <stdio.h>
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

/* ---- pull ---- */

struct pull {
	struct apicall *c;
	const char *name;
};

/* {"status":"...","id":"..."}, one a line. */
static void say(struct apicall *c, const char *status, const char *id, const char *more)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	buf_puts(&b, "{\"status\":");
	json_quote(&b, status);
	if (id) {
		buf_puts(&b, ",\"id\":");
		json_quote(&b, id);
	}
	buf_puts(&b, more);
	buf_puts(&b, "}\r\n");
	exchange_write(c->x, b.p, b.len, NULL);
}

static void progress(const struct image_event *ev, void *arg)
{
	static const struct {
		int kind;
		const char *status;
	} words[] = {{IMAGE_EVENT_EXISTS, "Already exists"},
		     {IMAGE_EVENT_START, "Pulling fs layer"},
		     {IMAGE_EVENT_BYTES, "Downloading"},
		     {IMAGE_EVENT_UNPACK, "Extracting"},
		     {IMAGE_EVENT_DONE, "Pull complete"}};
	struct pull *p = arg;
	char detail[128] = ",\"progressDetail\":{}", id[16] = "";
	const char *hex = ev->digest ? strchr(ev->digest, ':') : NULL;

	/* What fails before there is an image is answered with a status. */
	if (!exchange_begun(p->c->x)) {
		if (exchange_begin(p->c->x, 200, "application/json", NULL) < 0)
			return;
		say(p->c, arena_printf(p->c->a, "Pulling from %s", p->name), NULL, "");
	}
	if (hex)
		snprintf(id, sizeof(id), "%.12s", hex + 1);
	if (ev->kind == IMAGE_EVENT_BYTES)
		snprintf(detail, sizeof(detail),
			 ",\"progressDetail\":{\"current\":%" PRIu64 ",\"total\":%" PRIu64 "}",
			 ev->done, ev->total);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i].kind == ev->kind)
			say(p->c, words[i].status, id, detail);
}

/* Credentials are the store's user's (`caisson login`); those in the request are not taken, and
 * that is said: a client sends an empty object, maybe of an address, when it has none. */
static int no_credentials(struct apicall *c, struct err *e)
{
	const char *said = http_request_field(&c->x->request, "X-Registry-Auth");
	static const char *const secrets[] = {"password", "auth", "identitytoken", "registrytoken",
					      "username"};
	auto_json struct json *j = NULL;
	const char *text;
	char *std, *at;

	if (!said || !*said)
		return 0;
	/* The alphabet for URLs, padded or not. */
	std = arena_printf(c->a, "%s===", said);
	std[strlen(said) + (4 - strlen(said) % 4) % 4] = '\0';
	for (at = std; *at; at++)
		*at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
	text = docker_config_base64(std, c->a);
	if (!text || json_parse(text, strlen(text), "X-Registry-Auth", &j, NULL) < 0)
		return err_set(e, ERR_USAGE, "X-Registry-Auth is malformed");
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		const char *v = json_string(json_member(j, secrets[i]));

		if (v && *v)
			return err_set(e, ERR_UNSUPPORTED,
				       "credentials with a request are not taken yet: use `caisson "
				       "login` on the host, and log this client out");
	}
	return 0;
}

static int pull_name(struct apicall *c, const char **out, struct err *e)
{
	const char *from = apicall_query(c, "fromImage"), *tag = apicall_query(c, "tag");
	struct reference ref;

	if (apicall_query(c, "fromSrc") || apicall_query(c, "repo") ||
	    apicall_query(c, "message") || apicall_query(c, "changes"))
		return err_set(e, ERR_UNSUPPORTED, "fromSrc (import) is not there yet");
	if (!from)
		return err_set(e, ERR_USAGE, "parameter 'fromImage' is missing");
	*out = tag ? arena_printf(c->a, "%s%c%s", from, strchr(tag, ':') ? '@' : ':', tag) : from;
	/* A registry's name only: oci:DIR and others would read files of the host. */
	if (str_after(from, "oci:") || str_after(from, "dir:") || strstr(from, "-archive:"))
		return err_set(e, ERR_USAGE, "invalid reference format: '%.100s'", from);
	return reference_parse(*out, c->a, &ref, e);
}

int apiimage_pull(struct apicall *c, struct err *e)
{
	struct pull p = {.c = c};
	struct image_pull_opts o = {.platform = apicall_query(c, "platform"),
				    .data = c->s->data,
				    .progress = progress,
				    .arg = &p,
				    .signature_policy = c->s->signature_policy};
	struct image_pulled done;
	struct store *store;
	int r = pull_name(c, &p.name, e);

	if (r == 0)
		r = no_credentials(c, e);
	if (r == 0)
		r = session_store(c->s, &store, e);
	if (r == 0)
		r = image_pull_run(store, p.name, &o, c->a, &done, e);
	if (r < 0 && exchange_begun(c->x)) {
		auto_buf struct buf b = BUF_INIT(1 << 16);

		buf_puts(&b, "{\"errorDetail\":{\"message\":");
		json_quote(&b, e->msg);
		buf_puts(&b, "},\"error\":");
		json_quote(&b, e->msg);
		buf_puts(&b, "}\r\n");
		*e = ERR_INIT;
		return exchange_write(c->x, b.p, b.len, e);
	}
	if (r == 0 && !exchange_begun(c->x))
		r = exchange_begin(c->x, 200, "application/json", e);
	if (r < 0)
		return r;
	say(c, arena_printf(c->a, "Digest: %s", done.digest), NULL, "");
	say(c,
	    arena_printf(c->a, "Status: %s for %s",
			 done.fresh ? "Downloaded newer image" : "Image is up to date", p.name),
	    NULL, "");
	return 0;
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
