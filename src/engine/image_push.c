/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_push.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/attest.h"
#include "engine/eventlog.h"
#include "engine/image_fetch.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "fmt/reference.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"

#include <stdlib.h>

#define JOBS_MAX  4 /* at once */
#define FROM_MAX  8 /* repositories whose blobs we ask to be mounted */
#define BLOBS_MAX (OCI_LAYERS_MAX + 1)

struct job {
	const struct oci_descriptor *blob;
	const char *from;
	unsigned int index;
	bool started, over;
};

struct push {
	struct store *s;
	const struct image_push_opts *opts;
	struct stage *stage;
	struct image_fetch *fetch;
	struct arena arena;
	const char *asked; /* as typed */
	struct reference ref;
	struct image_records records; /* all of the store */
	const struct image_record *record;
	const char *text; /* of the manifest */
	size_t len;
	struct oci_manifest manifest;
	struct job jobs[BLOBS_MAX];
	size_t njobs, running;
};

static void tell(const struct push *p, int kind, const struct job *j, uint64_t done)
{
	struct image_event ev = {
	    .kind = kind, .source = p->asked, .layers = (unsigned int)p->njobs, .done = done};

	if (!p->opts->progress)
		return;
	ev.digest = j ? j->blob->digest : p->record->manifest;
	if (j) {
		ev.layer = j->index;
		ev.total = j->blob->size;
	}
	p->opts->progress(&ev, p->opts->arg);
}

/* ---- what goes ---- */

static int read_manifest(struct push *p, struct err *e)
{
	auto_free char *text = NULL;
	int r = stage_lease(p->stage, STAGE_BLOB, digest_hex(p->record->manifest), e);

	if (r >= 0)
		r = blob_read(p->s, p->record->manifest, OCI_MANIFEST_MAX, &text, &p->len, e);
	if (r < 0)
		return r;
	p->text = arena_dupn(&p->arena, text, p->len);
	return oci_image_manifest(p->text, p->len, "manifest", &p->arena, &p->manifest, e);
}

/* Does this image have the blob?  Its configuration's digest is its id. */
static bool holds(const struct image_record *r, const char *digest)
{
	if (streq(r->id, digest))
		return true;
	for (size_t i = 0; i < r->blobs.n; i++)
		if (streq(r->blobs.v[i], digest))
			return true;
	return false;
}

/* Another repository of the same registry, by what this store has pulled or pushed. */
static const char *mountable(struct push *p, const char *digest)
{
	for (size_t i = 0; i < p->records.n; i++) {
		const struct image_record *r = &p->records.v[i];
		struct reference ref;

		if (r->name && reference_parse(r->name, &p->arena, &ref, NULL) == 0 &&
		    streq(ref.domain, p->ref.domain) && !streq(ref.path, p->ref.path) &&
		    holds(r, digest))
			return ref.path;
	}
	return NULL;
}

/* Leased before the store is asked, so that no collection takes it between here and its end. */
static int add_job(struct push *p, const struct oci_descriptor *d, struct err *e)
{
	int r;

	for (size_t i = 0; i < p->njobs; i++)
		if (streq(p->jobs[i].blob->digest, d->digest))
			return 0;
	r = stage_lease(p->stage, STAGE_BLOB, digest_hex(d->digest), e);
	if (r < 0)
		return r;
	if (!blob_have(p->s, d->digest, d->size))
		return err_set(e, ERR_NOT_FOUND, "blob %.19s is not in the store; pull the image",
			       d->digest);
	p->jobs[p->njobs] = (struct job){
	    .blob = d, .from = mountable(p, d->digest), .index = (unsigned int)p->njobs};
	p->njobs++;
	return 0;
}

static int plan(struct push *p, struct err *e)
{
	auto_fd int lock = store_lock(p->s, STORE_SHARED, e);
	int r = lock < 0 ? lock : read_manifest(p, e);

	for (size_t i = 0; r >= 0 && i < p->manifest.layers.n; i++)
		r = add_job(p, &p->manifest.layers.v[i], e);
	return r < 0 ? r : add_job(p, &p->manifest.config, e);
}

/* The token must be good for reading there. */
static struct strs sources(struct push *p)
{
	struct strs l = {0};

	for (size_t i = 0; i < p->njobs; i++) {
		bool seen = !p->jobs[i].from;

		for (size_t k = 0; k < l.n && !seen; k++)
			seen = streq(l.v[k], p->jobs[i].from);
		if (!seen && l.n < FROM_MAX)
			arena_strs_add(&p->arena, &l, p->jobs[i].from);
	}
	return l;
}

/* ---- sending ---- */

static int start_jobs(struct push *p, struct err *e)
{
	for (size_t i = 0; i < p->njobs && p->running < JOBS_MAX; i++) {
		struct job *j = &p->jobs[i];
		auto_fd int file = -1;
		struct image_fetch_push out;
		int r;

		if (j->started)
			continue;
		file = blob_open(p->s, j->blob->digest, e);
		if (file < 0)
			return file;
		out = (struct image_fetch_push){.digest = j->blob->digest,
						.from = j->from,
						.size = j->blob->size,
						.file = file};
		tell(p, IMAGE_EVENT_SEND, j, 0);
		r = image_fetch_push(p->fetch, i, &out, e);
		if (r < 0)
			return r;
		j->started = true;
		p->running++;
	}
	return 0;
}

static void settle(struct push *p, struct job *j, const char *how)
{
	int kind = how && streq(how, "exists")	  ? IMAGE_EVENT_EXISTS
		   : how && streq(how, "mounted") ? IMAGE_EVENT_MOUNTED
						  : IMAGE_EVENT_DONE;

	j->over = true;
	p->running--;
	tell(p, kind, j, j->blob->size);
}

static int step(struct push *p, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct fetch_msg m;
	struct job *j;
	int r = image_fetch_next(p->fetch, &a, &m, e);

	if (r < 0)
		return r;
	if (m.id >= p->njobs || !p->jobs[m.id].started || p->jobs[m.id].over)
		return 0;
	j = &p->jobs[m.id];
	if (streq(m.op, "got"))
		tell(p, IMAGE_EVENT_BYTES, j, m.size);
	else if (!streq(m.op, "ok"))
		return fetch_to_err(&m, e);
	else
		settle(p, j, m.how);
	return 0;
}

static int send_blobs(struct push *p, struct err *e)
{
	int r = start_jobs(p, e);

	while (r >= 0 && p->running) {
		r = step(p, e);
		if (r >= 0)
			r = start_jobs(p, e);
	}
	return r;
}

static int send_manifest(struct push *p, struct err *e)
{
	auto_fd int file = blob_open(p->s, p->record->manifest, e);
	struct image_fetch_push out = {.digest = p->record->manifest,
				       .ref = p->ref.tag,
				       .media_type = oci_image_type(&p->manifest),
				       .size = p->len,
				       .file = file};
	int r = file < 0 ? file : image_fetch_push(p->fetch, BLOBS_MAX, &out, e);

	return r < 0 ? r : image_fetch_wait(p->fetch, BLOBS_MAX, NULL, NULL, e);
}

static int push_record(struct push *p, struct err *e)
{
	struct image_fetch_source src = {.transport = "registry",
					 .host = p->ref.domain,
					 .repository = p->ref.path,
					 .push = true,
					 .file = -1};
	int r = stage_new(p->s, &p->stage, e);

	if (r >= 0)
		r = plan(p, e);
	if (r < 0)
		return r;
	src.from = sources(p);
	tell(p, IMAGE_EVENT_RESOLVED, NULL, 0);
	r = image_fetch_start(p->s, &src, &p->fetch, e);
	if (r >= 0)
		r = send_blobs(p, e);
	if (r >= 0)
		r = send_manifest(p, e);
	if (r >= 0)
		r = attest_push(p->s, p->fetch, p->record, &p->arena, e);
	image_fetch_stop(p->fetch);
	return r;
}

static int push_one(struct store *s, const char *asked, const struct image_push_opts *o,
		    const struct image_records *all, const struct image_record *record,
		    struct arena *a, struct image_pushed *out, struct err *e)
{
	struct push *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		abort();
	p->s = s;
	p->opts = o;
	p->asked = asked;
	p->records = *all;
	p->record = record;
	r = reference_parse(record->name, &p->arena, &p->ref, e);
	if (r >= 0)
		r = push_record(p, e);
	if (r >= 0)
		*out = (struct image_pushed){.name = arena_dup(a, record->name),
					     .tag = arena_dup(a, p->ref.tag),
					     .digest = arena_dup(a, record->manifest),
					     .size = p->len};
	stage_free(p->stage);
	arena_free(&p->arena);
	free(p);
	return r;
}

/* ---- which ---- */

static bool is_meant(const struct image_record *r, const struct reference *ref, bool all,
		     struct arena *a)
{
	struct reference have;

	if (!r->name || reference_parse(r->name, a, &have, NULL) < 0 || !have.tag)
		return false;
	return streq(have.domain, ref->domain) && streq(have.path, ref->path) &&
	       (all || streq(have.tag, ref->tag));
}

static int parse(const char *name, bool all, struct arena *a, struct reference *ref, struct err *e)
{
	int r = reference_parse(name, a, ref, e);

	if (r < 0)
		return r;
	if (ref->digest)
		return err_set(e, ERR_USAGE, "an image is pushed by a tag, not by a digest");
	if (all && reference_repository(name) != strlen(name))
		return err_set(e, ERR_USAGE, "with --all-tags no tag is given");
	return 0;
}

static int push_all(struct store *s, const char *name, const struct image_push_opts *o,
		    struct arena *a, struct image_pushes *out, struct err *e)
{
	struct image_pushes done = {0};
	struct image_records all;
	struct reference ref;
	int r = parse(name, o->all_tags, a, &ref, e);

	if (r >= 0)
		r = image_list(s, a, &all, e);
	if (r < 0)
		return r;
	done.v = arena_array(a, all.n, sizeof(*done.v));
	for (size_t i = 0; r >= 0 && i < all.n; i++)
		if (is_meant(&all.v[i], &ref, o->all_tags, a)) {
			r = push_one(s, name, o, &all, &all.v[i], a, &done.v[done.n], e);
			done.n += r >= 0;
		}
	if (r >= 0 && !done.n)
		r = err_set(e, ERR_NOT_FOUND, "there is no such image here");
	if (r >= 0)
		*out = done;
	return r;
}

int image_push_run(struct store *s, const char *name, const struct image_push_opts *o,
		   struct arena *a, struct image_pushes *out, struct err *e)
{
	int r = push_all(s, name, o, a, out, e);

	if (r >= 0)
		eventlog_thing(s, "image", "push", name, name);
	return r < 0 ? err_wrap(e, r, "push '%.150s'", name) : 0;
}
