/* SPDX-License-Identifier: Apache-2.0 */
/* apitransfer - images on their way in and out: pull, push, load, save, import, and what a registry
 * says of one. */
#include "api/apiauth.h"
#include "api/apicall.h"
#include "api/apipipe.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_import.h"
#include "engine/image_pull.h"
#include "engine/image_push.h"
#include "engine/image_save.h"
#include "engine/members.h"
#include "engine/registry_ctl.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "fmt/oci_image.h"
#include "fmt/reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- what clients show meanwhile ---- */

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

struct word {
	int kind; /* enum image_event_kind */
	const char *status;
};
static const struct word pull_words[] = {
    {IMAGE_EVENT_EXISTS, "Already exists"}, {IMAGE_EVENT_START, "Pulling fs layer"},
    {IMAGE_EVENT_BYTES, "Downloading"},	    {IMAGE_EVENT_UNPACK, "Extracting"},
    {IMAGE_EVENT_DONE, "Pull complete"},    {0, NULL}};
static const struct word push_words[] = {{IMAGE_EVENT_EXISTS, "Layer already exists"},
					 {IMAGE_EVENT_SEND, "Preparing"},
					 {IMAGE_EVENT_BYTES, "Pushing"},
					 {IMAGE_EVENT_MOUNTED, "Mounted from another repository"},
					 {IMAGE_EVENT_DONE, "Pushed"},
					 {0, NULL}};

struct transfer {
	struct apicall *c;
	const char *first; /* status of the first line */
	const struct word *words;
};

/* What fails before there is anything to tell is answered with a status. */
static bool begin(struct transfer *t)
{
	if (exchange_begun(t->c->x))
		return true;
	if (exchange_begin(t->c->x, 200, "application/json", NULL) < 0)
		return false;
	say(t->c, t->first, NULL, "");
	return true;
}

static void progress(const struct image_event *ev, void *arg)
{
	struct transfer *t = arg;
	char detail[128] = ",\"progressDetail\":{}", id[16] = "";
	const char *hex = ev->digest ? strchr(ev->digest, ':') : NULL;

	if (!begin(t))
		return;
	if (hex)
		snprintf(id, sizeof(id), "%.12s", hex + 1);
	if (ev->kind == IMAGE_EVENT_BYTES)
		snprintf(detail, sizeof(detail),
			 ",\"progressDetail\":{\"current\":%" PRIu64 ",\"total\":%" PRIu64 "}",
			 ev->done, ev->total);
	for (const struct word *w = t->words; w->status; w++)
		if (w->kind == ev->kind)
			say(t->c, w->status, id, detail);
}

/* An error that comes when the answer has begun is its last line. */
static int ended_badly(struct apicall *c, int r, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	if (!exchange_begun(c->x))
		return r;
	buf_puts(&b, "{\"errorDetail\":{\"message\":");
	json_quote(&b, e->msg);
	buf_puts(&b, "},\"error\":");
	json_quote(&b, e->msg);
	buf_puts(&b, "}\r\n");
	*e = ERR_INIT;
	return exchange_write(c->x, b.p, b.len, e);
}

/* ---- pull, import ---- */

static int pull_name(struct apicall *c, const char **out, struct err *e)
{
	const char *from = apicall_query(c, "fromImage"), *tag = apicall_query(c, "tag");
	struct reference ref;

	if (!from)
		return err_set(e, ERR_USAGE, "parameter 'fromImage' is missing");
	*out = tag ? arena_printf(c->a, "%s%c%s", from, strchr(tag, ':') ? '@' : ':', tag) : from;
	/* A registry's name only: oci:DIR and others would read files of the host. */
	if (str_after(from, "oci:") || str_after(from, "dir:") || strstr(from, "-archive:"))
		return err_set(e, ERR_USAGE, "invalid reference format: '%.100s'", from);
	return reference_parse(*out, c->a, &ref, e);
}

static int pull(struct apicall *c, struct err *e)
{
	struct transfer t = {.c = c, .words = pull_words};
	struct image_pull_opts o = {.platform = apicall_query(c, "platform"),
				    .data = c->s->data,
				    .progress = progress,
				    .arg = &t,
				    .signature_policy = c->s->signature_policy};
	struct image_pulled done;
	struct store *store;
	const char *name = NULL;
	int r = pull_name(c, &name, e);

	if (r == 0)
		r = apiauth_take(c, name, e);
	if (r == 0)
		r = session_store(c->s, &store, e);
	if (r < 0)
		return r;
	t.first = arena_printf(c->a, "Pulling from %s", name);
	r = image_pull_run(store, name, &o, c->a, &done, e);
	if (r < 0)
		return ended_badly(c, r, e);
	if (!begin(&t))
		return err_set(e, ERR_CANCELED, "the client went away");
	say(c, arena_printf(c->a, "Digest: %s", done.digest), NULL, "");
	say(c,
	    arena_printf(c->a, "Status: %s for %s",
			 done.fresh ? "Downloaded newer image" : "Image is up to date", name),
	    NULL, "");
	return 0;
}

struct import {
	const char *name; /* NULL: none */
	struct image_pulled done;
};

static int import(struct apicall *c, int fd, void *arg, struct err *e)
{
	struct import *i = arg;
	struct store *store;
	int r = session_store(c->s, &store, e);

	return r < 0
		   ? r
		   : image_import_run(store, fd, "the request's body", i->name, c->a, &i->done, e);
}

static int import_body(struct apicall *c, const char *from, struct err *e)
{
	const char *repo = apicall_query(c, "repo"), *tag = apicall_query(c, "tag");
	struct import i = {.name = repo && tag ? arena_printf(c->a, "%s:%s", repo, tag) : repo};
	struct apipipe p = {import, &i};
	int r;

	if (!streq(from, "-"))
		return err_set(e, ERR_UNSUPPORTED,
			       "fromSrc '%.80s': nothing is fetched from an URL; send the archive "
			       "(fromSrc=-)",
			       from);
	if (apicall_query(c, "message") || apicall_query(c, "changes"))
		return err_set(e, ERR_UNSUPPORTED,
			       "import with message or changes is not possible: build FROM what "
			       "was imported");
	r = apipipe_in(c, &p, e);
	if (r == 0)
		r = exchange_begin(c->x, 200, "application/json", e);
	if (r < 0)
		return r;
	say(c, i.done.id, NULL, "");
	return 0;
}

int apitransfer_create(struct apicall *c, struct err *e)
{
	const char *src = apicall_query(c, "fromSrc");

	return src ? import_body(c, src, e) : pull(c, e);
}

/* ---- push ---- */

static void aux(struct apicall *c, const struct image_pushed *v)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct members w = {.b = &b};

	buf_puts(&b, "{\"progressDetail\":{},\"aux\":{");
	members_str(&w, "Tag", v->tag);
	members_str(&w, "Digest", v->digest);
	members_num(&w, "Size", (int64_t)v->size);
	buf_puts(&b, "}}\r\n");
	exchange_write(c->x, b.p, b.len, NULL);
}

int apitransfer_push(struct apicall *c, struct err *e)
{
	const char *tag = apicall_query(c, "tag");
	const char *name = tag ? arena_printf(c->a, "%s:%s", c->id, tag) : c->id;
	struct transfer t = {.c = c, .words = push_words};
	struct image_push_opts o = {.progress = progress, .arg = &t};
	struct image_pushes done = {0};
	struct reference ref;
	struct store *store;
	int r = reference_parse(name, c->a, &ref, e);

	if (r == 0)
		r = apiauth_take(c, name, e);
	if (r == 0)
		r = session_store(c->s, &store, e);
	if (r < 0)
		return r;
	/* Docker's: a repository without a tag is all its tags. */
	o.all_tags = !tag && reference_repository(c->id) == strlen(c->id);
	t.first = arena_printf(c->a, "The push refers to repository [%s/%s]", ref.domain, ref.path);
	r = image_push_run(store, name, &o, c->a, &done, e);
	if (r < 0)
		return ended_badly(c, r, e);
	if (!begin(&t))
		return err_set(e, ERR_CANCELED, "the client went away");
	for (size_t i = 0; i < done.n; i++) {
		const struct image_pushed *v = &done.v[i];

		say(c,
		    arena_printf(c->a, "%s: digest: %s size: %" PRIu64, v->tag, v->digest, v->size),
		    NULL, "");
		/* Clients show no status that stands beside it. */
		aux(c, v);
	}
	return 0;
}

/* ---- archives ---- */

static int save(struct apicall *c, int fd, void *arg, struct err *e)
{
	return image_save_run(c->s, arg, fd, e);
}

int apitransfer_save(struct apicall *c, struct err *e)
{
	struct strs names = {0};
	struct apipipe p = {save, &names};

	if (*c->id)
		arena_strs_add(c->a, &names, c->id);
	else
		http_request_queries(&c->x->request, "names", c->a, &names);
	if (!names.n)
		return err_set(e, ERR_USAGE, "parameter 'names' is missing");
	return apipipe_out(c, "application/x-tar", &p, e);
}

static int load(struct apicall *c, int fd, void *arg, struct err *e)
{
	struct image_pull_opts o = {.platform = apicall_query(c, "platform"),
				    .data = c->s->data,
				    .signature_policy = c->s->signature_policy};
	struct store *store;
	int r = session_store(c->s, &store, e);

	return r < 0 ? r : image_pull_load(store, fd, "-", &o, c->a, arg, e);
}

static void loaded(struct apicall *c, const char *what, const char *name)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	buf_puts(&b, "{\"stream\":");
	json_quote(&b, arena_printf(c->a, "%s: %s\n", what, name));
	buf_puts(&b, "}\r\n");
	exchange_write(c->x, b.p, b.len, NULL);
}

int apitransfer_load(struct apicall *c, struct err *e)
{
	struct image_loaded done = {0};
	struct apipipe p = {load, &done};
	int r = apipipe_in(c, &p, e);

	if (r == 0)
		r = exchange_begin(c->x, 200, "application/json", e);
	for (size_t i = 0; r == 0 && i < done.n; i++) {
		const struct image_pulled *v = &done.v[i];

		for (size_t k = 0; k < v->names.n; k++)
			loaded(c, "Loaded image", reference_familiar(c->a, v->names.v[k]));
		if (!v->names.n)
			loaded(c, "Loaded image ID", v->id);
	}
	return r;
}

/* ---- what a registry has ---- */

int apitransfer_distribution(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct registry_ctl_platforms platforms;
	struct registry_ctl_doc doc;
	struct store *store;
	int r = apiauth_take(c, c->id, e);

	if (r == 0)
		r = session_store(c->s, &store, e);
	if (r == 0)
		r = registry_ctl_describe(store, c->id, c->a, &doc, &platforms, e);
	if (r < 0)
		return r;
	buf_puts(&b, "{");
	members_open(&w, "Descriptor");
	members_str(&w, "mediaType", doc.media_type);
	members_str(&w, "digest", doc.digest);
	members_num(&w, "size", (int64_t)doc.len);
	members_close(&w);
	members_array(&w, "Platforms");
	for (size_t i = 0; i < platforms.n; i++) {
		members_item(&w);
		members_str(&w, "architecture", platforms.v[i]->architecture);
		members_str(&w, "os", platforms.v[i]->os);
		if (platforms.v[i]->variant)
			members_str(&w, "variant", platforms.v[i]->variant);
		members_close(&w);
	}
	members_end(&w);
	buf_puts(&b, "}\n");
	return apicall_json(c, 200, &b, e);
}
