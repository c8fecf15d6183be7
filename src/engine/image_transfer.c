/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory: manifest and configuration first, small and checked here; then the layers as jobs.  A job
 * is WAITING, then RUNNING with two halves, fetching (bytes to the staged blob) and unpacking (the
 * same bytes through a pipe to caisson-unpack), either of which may not be needed; it is over when
 * both are.  Invariants:
 *  1. blob and layer are leased before the store is asked whether it has them.
 *  2. A blob is committed only when the fetcher said that its digest is right, a layer only when
 * the unpacker said so of the same bytes; the image's record is written after all of them.
 *  3. The fetcher's verdict is waited for when the unpacker failed: a wrong digest explains more
 *     than the rubbish it unpacked to.
 *  4. With `parts` a job holds its blob's part (store/part.h) from before it is fetched until it is
 *     over, so that others who want the blob find it and its layer; while somebody else holds it,
 *     the job is `busy`: it waits, and tries again.
 */
#include "engine/image_transfer.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "engine/image_others.h"
#include "engine/signature_gate.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "spec/trace.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/part.h"
#include "store/rootfs.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/unpacker.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/statvfs.h>

#define JOBS_MAX 4 /* at once */
/* What the layers that unpack at once may weigh, so that all of it stays under 64 MiB: a process
 * takes up to 11 MiB, with zstd 8 more for the window that all but `zstd --ultra` and `--long` stay
 * in. */
#define WEIGHT_MAX  4
#define WEIGHT_ZSTD 2
#define PIPE_SIZE   (1 << 20)
#define BUSY_MS	    50	       /* between two looks at another command's download */
#define ROOM_WANTED (64 << 20) /* bytes free below which a disk counts as full */

enum job_state { WAITING, RUNNING, OVER };

struct job {
	const struct oci_descriptor *blob;
	const char *diff_id;
	unsigned int layer;
	int state;
	bool fetch, unpack; /* what is to be done */
	bool fetching;	    /* the answer has not come */
	bool busy;	    /* WAITING for another command's download */
	struct part part;   /* fd -1: none */
	struct unpacker *unpacker;
	struct err unpack_err; /* kept until the fetcher's verdict */
};

struct transfer {
	const struct image_transfer *in;
	struct store *s;
	struct stage *stage;
	struct arena arena;
	struct image_fetch_doc manifest_doc, config_doc;
	const char *source_digest;
	struct strs others; /* digests of other platforms' blobs */
	struct oci_manifest manifest;
	struct oci_config config;
	enum layer_form form;
	struct job jobs[OCI_LAYERS_MAX];
	size_t njobs, running, busy;
	unsigned int weight; /* of those running */
	bool fresh;
};

static void tell(struct transfer *t, int kind, const struct job *j, uint64_t done)
{
	struct image_event ev = {.kind = kind,
				 .source = t->in->source,
				 .layers = (unsigned int)t->manifest.layers.n,
				 .done = done};

	if (!t->in->opts->progress)
		return;
	if (j) {
		ev.digest = j->blob->digest;
		ev.layer = j->layer;
		ev.total = j->blob->size;
	} else {
		ev.digest = t->source_digest;
	}
	t->in->opts->progress(&ev, t->in->opts->arg);
}

/* ---- documents ---- */

static int wanted_platform(struct transfer *t, struct oci_platform *p, struct err *e)
{
	if (t->in->opts->platform)
		return oci_image_platform(t->in->opts->platform, &t->arena, p, e);
	oci_image_host(p);
	return 0;
}

/* Lease, then store. */
static int keep(struct transfer *t, const struct image_fetch_doc *d, struct err *e)
{
	char digest[DIGEST_LEN + 1];

	return blob_put(t->s, t->stage, d->text, d->len, digest, e);
}

/* Down through indexes to a manifest for the platform. */
static int get_manifest(struct transfer *t, struct err *e)
{
	struct image_fetch_doc *d = &t->manifest_doc;
	const char *ref = t->in->ref, *what = "manifest";
	struct oci_platform want;
	int r = wanted_platform(t, &want, e);

	for (int depth = 0; r >= 0; depth++) {
		const struct oci_descriptor *next;
		struct oci_index index;

		r = image_fetch_manifest(t->in->fetch, ref, &t->arena, d, e);
		if (r < 0)
			return r;
		if (!t->source_digest)
			t->source_digest = d->digest;
		r = oci_image_kind(d->text, d->len, d->media_type, what, e);
		if (r == OCI_MANIFEST)
			return oci_image_manifest(d->text, d->len, what, &t->arena, &t->manifest,
						  e);
		if (r >= 0 && depth == OCI_INDEX_DEPTH)
			return err_set(e, ERR_LIMIT, "more than %d indexes inside each other",
				       OCI_INDEX_DEPTH);
		if (r >= 0)
			r = oci_image_index(d->text, d->len, "index", &t->arena, &index, e);
		if (r >= 0)
			r = keep(t, d, e);
		if (r >= 0)
			r = oci_image_choose(&index, &want, "the image", &next, e);
		if (r >= 0)
			ref = next->digest;
	}
	return r;
}

/* By the digest of what runs, or of the index that names it. */
static int allowed(struct transfer *t, struct err *e)
{
	struct strs digests = {0};

	if (!t->in->gate)
		return 0;
	arena_strs_add(&t->arena, &digests, t->manifest_doc.digest);
	if (!streq(t->source_digest, t->manifest_doc.digest))
		arena_strs_add(&t->arena, &digests, t->source_digest);
	return signature_gate_check(t->in->gate, t->s, t->in->fetch, &digests, e);
}

static int get_config(struct transfer *t, struct err *e)
{
	const struct oci_descriptor *c = &t->manifest.config;
	struct image_fetch_doc *d = &t->config_doc;
	struct oci_platform want;
	int r = 0;

	if (blob_have(t->s, c->digest, c->size)) {
		auto_free char *text = NULL;

		if (blob_read(t->s, c->digest, OCI_CONFIG_MAX, &text, &d->len, NULL) == 0) {
			d->text = arena_dupn(&t->arena, text, d->len);
			d->digest = c->digest;
		}
	}
	if (!d->text)
		r = image_fetch_document(t->in->fetch, c->digest, c->size, OCI_CONFIG_MAX,
					 &t->arena, d, e);
	if (r >= 0)
		r = oci_image_config(d->text, d->len, "image configuration", &t->arena, &t->config,
				     e);
	if (r >= 0)
		r = oci_image_match(&t->manifest, &t->config, "image", e);
	if (r >= 0)
		r = wanted_platform(t, &want, e);
	if (r < 0 || !t->in->opts->platform || oci_image_fits(&t->config.platform, &want))
		return r;
	return err_set(e, ERR_NOT_FOUND, "the image is for platform %s, not %s",
		       oci_image_platform_print(&t->config.platform, &t->arena),
		       t->in->opts->platform);
}

/* ---- jobs ---- */

static int look(struct transfer *t, struct job *j, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct layer l;
	int r = stage_lease(t->stage, STAGE_BLOB, digest_hex(j->blob->digest), e);

	if (r >= 0)
		r = stage_lease(t->stage, STAGE_LAYER, digest_hex(j->diff_id), e);
	if (r < 0)
		return r;
	j->fetch = !blob_have(t->s, j->blob->digest, j->blob->size);
	j->unpack = layer_find_form(t->s, j->diff_id, t->form, &a, &l, NULL) < 0;
	j->state = j->fetch || j->unpack ? WAITING : OVER;
	t->fresh |= j->state == WAITING;
	if (j->state == OVER)
		tell(t, IMAGE_EVENT_EXISTS, j, 0);
	return 0;
}

/* Equal layers are one job; a blob that claims two diff ids makes two, of which one fails. */
static bool again(const struct transfer *t, const char *digest, const char *diff_id)
{
	for (size_t i = 0; i < t->njobs; i++)
		if (streq(t->jobs[i].blob->digest, digest) && streq(t->jobs[i].diff_id, diff_id))
			return true;
	return false;
}

static int plan_jobs(struct transfer *t, struct err *e)
{
	auto_fd int lock = store_lock(t->s, STORE_SHARED, e);
	int r = lock;

	for (unsigned int i = 0; r >= 0 && i < t->manifest.layers.n; i++) {
		struct job *j = &t->jobs[t->njobs];
		const struct oci_descriptor *d = &t->manifest.layers.v[i];

		if (again(t, d->digest, t->config.rootfs.diff_ids.v[i]))
			continue;
		*j = (struct job){.blob = d,
				  .diff_id = t->config.rootfs.diff_ids.v[i],
				  .layer = i,
				  .part.fd = -1};
		t->njobs++;
		r = look(t, j, e);
	}
	return r < 0 ? r : 0;
}

static int start_unpacker(struct transfer *t, struct job *j, int in, struct err *e)
{
	struct unpacker_job u = {.in_fd = in,
				 .blob_digest = j->blob->digest,
				 .blob_size = j->blob->size,
				 .diff_id = j->diff_id,
				 .form = (int)t->form};

	return unpacker_start(t->s, t->stage, &u, &j->unpacker, e);
}

static unsigned int weight_of(const struct job *j)
{
	const char *type = j->blob->media_type;

	return j->unpack && type && strstr(type, "zstd") ? WEIGHT_ZSTD : 1;
}

static void begin(struct transfer *t, struct job *j)
{
	j->state = RUNNING;
	t->running++;
	t->weight += weight_of(j);
}

static void end(struct transfer *t, struct job *j, enum job_state state)
{
	j->state = (int)state;
	t->running--;
	t->weight -= weight_of(j);
}

static void settle(struct transfer *t, struct job *j)
{
	if (j->fetching || j->unpacker)
		return;
	part_close(t->s, &j->part);
	end(t, j, OVER);
	tell(t, IMAGE_EVENT_DONE, j, j->blob->size);
}

static int start_fetch(struct transfer *t, struct job *j, struct err *e)
{
	auto_fd int staged = j->part.fd < 0 ? blob_stage(t->stage, j->blob->digest, e) : -1;
	int file = j->part.fd < 0 ? staged : j->part.fd;
	auto_fd int rd = -1;
	auto_fd int wr = -1;
	int p[2], r = file;

	if (r >= 0 && j->unpack) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return err_sys(e, "pipe");
		rd = p[0];
		wr = p[1];
		fcntl(wr, F_SETPIPE_SZ, PIPE_SIZE); /* the default of 64 KiB does too */
		r = start_unpacker(t, j, rd, e);
	}
	if (r >= 0)
		r = image_fetch_blob(t->in->fetch, (uint64_t)(j - t->jobs), j->blob->digest,
				     j->blob->size, j->part.have, file, wr, e);
	if (r >= 0)
		j->fetching = true;
	return r;
}

static int start_local(struct transfer *t, struct job *j, struct err *e)
{
	auto_fd int blob = blob_open(t->s, j->blob->digest, e);

	return blob < 0 ? blob : start_unpacker(t, j, blob, e);
}

/* Nobody else may be at the blob.  0: somebody is; 1: go on, with what is left to be done. */
static int take_part(struct transfer *t, struct job *j, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct layer l;
	int r = part_take(t->s, j->blob->digest, j->blob->size, &j->part, e);

	if (r < 0)
		return r;
	j->busy = r == 0;
	if (j->busy || j->part.have)
		tell(t, IMAGE_EVENT_BYTES, j, j->part.have);
	if (j->busy)
		return 0;
	/* Whoever had it may have brought it. */
	j->fetch = !blob_have(t->s, j->blob->digest, j->blob->size);
	j->unpack = layer_find_form(t->s, j->diff_id, t->form, &a, &l, NULL) < 0;
	if (!j->fetch)
		part_drop(t->s, &j->part);
	return 1;
}

static int start_job(struct transfer *t, struct job *j, struct err *e)
{
	int r = 1;

	if (!j->busy)
		tell(t, IMAGE_EVENT_START, j, 0);
	if (j->fetch && t->in->parts) {
		r = take_part(t, j, e);
		if (r <= 0)
			return r;
	}
	begin(t, j);
	if (j->fetch)
		return start_fetch(t, j, e);
	if (j->unpack)
		return start_local(t, j, e);
	settle(t, j);
	return 0;
}

static int start_jobs(struct transfer *t, struct err *e)
{
	t->busy = 0;
	for (size_t i = 0; i < t->njobs && t->running < JOBS_MAX; i++) {
		struct job *j = &t->jobs[i];
		int r;

		if (j->state != WAITING || (t->running && t->weight + weight_of(j) > WEIGHT_MAX))
			continue;
		r = start_job(t, j, e);
		if (r < 0)
			return err_wrap(e, r, "layer %.19s", j->blob->digest);
		t->busy += j->busy;
	}
	return 0;
}

static int unpacked(struct transfer *t, struct job *j, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err why = ERR_INIT;
	struct layer l;
	int r = unpacker_finish(take_ptr(&j->unpacker), &a, &l, &why);

	if (r < 0) {
		err_wrap(&why, r, "layer %.19s", j->blob->digest);
		if (j->fetching) {
			j->unpack_err = why;
			return 0;
		}
		if (e)
			*e = why;
		return r;
	}
	settle(t, j);
	return 0;
}

static int fetched(struct transfer *t, struct job *j, struct err *e)
{
	const struct oci_descriptor *b = j->blob;
	int r = j->part.fd < 0 ? blob_commit(t->s, t->stage, b->digest, b->size, e)
			       : part_commit(t->s, &j->part, b->digest, b->size, e);

	j->fetching = false;
	if (r < 0)
		return err_wrap(e, r, "layer %.19s", j->blob->digest);
	/* The bytes were right, so what the unpacker said of them stands. */
	if (j->unpack_err.kind != ERR_NONE) {
		if (e)
			*e = j->unpack_err;
		return -EBADMSG;
	}
	if (j->unpacker)
		tell(t, IMAGE_EVENT_UNPACK, j, j->blob->size);
	settle(t, j);
	return 0;
}

/* Bytes of a part that was there, and all in all the wrong ones: once more, without it. */
static int not_fetched(struct transfer *t, struct job *j, const struct fetch_msg *m, struct err *e)
{
	struct err why = ERR_INIT;
	bool resumed = j->part.fd >= 0 && j->part.have;
	int r = fetch_to_err(m, &why);

	/* What is wrong would stay wrong with every try. */
	if (why.kind == ERR_CORRUPT)
		part_drop(t->s, &j->part);
	if (why.kind != ERR_CORRUPT || !resumed) {
		if (e)
			*e = why;
		return r;
	}
	unpacker_cancel(take_ptr(&j->unpacker));
	j->unpack_err = ERR_INIT;
	j->part.have = 0;
	j->fetching = false;
	end(t, j, WAITING);
	return 0;
}

static int packet(struct transfer *t, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct fetch_msg m;
	struct job *j;
	int r = image_fetch_next(t->in->fetch, &a, &m, e);

	if (r < 0)
		return r;
	if (m.id >= t->njobs || !t->jobs[m.id].fetching)
		return 0; /* a late word on something that is over */
	j = &t->jobs[m.id];
	if (streq(m.op, "got")) {
		tell(t, IMAGE_EVENT_BYTES, j, m.size);
		return 0;
	}
	if (!streq(m.op, "ok"))
		return not_fetched(t, j, &m, e);
	return fetched(t, j, e);
}

static int step(struct transfer *t, struct err *e)
{
	struct pollfd p[JOBS_MAX + 1] = {{.fd = image_fetch_fd(t->in->fetch), .events = POLLIN}};
	struct job *who[JOBS_MAX + 1] = {NULL};
	nfds_t n = 1;
	int r = 0;

	for (size_t i = 0; i < t->njobs; i++)
		if (t->jobs[i].unpacker) {
			who[n] = &t->jobs[i];
			p[n++] = (struct pollfd){.fd = unpacker_fd(t->jobs[i].unpacker),
						 .events = POLLIN};
		}
	if (poll(p, n, t->busy ? BUSY_MS : -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	/* The fetcher first: its word on a blob decides what an unpacker's failure means. */
	if (p[0].revents)
		r = packet(t, e);
	for (nfds_t i = 1; r >= 0 && i < n; i++)
		/* Its job may have begun anew meanwhile. */
		if (p[i].revents && who[i]->unpacker)
			r = unpacked(t, who[i], e);
	return r;
}

static int run_jobs(struct transfer *t, struct err *e)
{
	int r = start_jobs(t, e);

	while (r >= 0 && (t->running || t->busy)) {
		r = step(t, e);
		if (r >= 0)
			r = start_jobs(t, e);
	}
	for (size_t i = 0; i < t->njobs; i++)
		unpacker_cancel(take_ptr(&t->jobs[i].unpacker));
	return r;
}

/* ---- the whole ---- */

static int record(struct transfer *t, struct arena *a, struct image_pulled *out, struct err *e)
{
	auto_fd int lock = store_lock(t->s, STORE_SHARED, e);
	char id[DIGEST_LEN + 1];
	int r = lock < 0 ? lock : keep(t, &t->manifest_doc, e);

	if (r >= 0)
		r = keep(t, &t->config_doc, e);
	if (r >= 0 && fault_point("transfer-record") < 0)
		return err_sys(e, "image record");
	if (r >= 0)
		r = image_commit_whole(t->s, t->stage, t->manifest_doc.digest, t->source_digest,
				       &t->others, &t->in->names, id, e);
	if (r < 0)
		return r;
	*out = (struct image_pulled){
	    .id = arena_dup(a, id), .digest = arena_dup(a, t->source_digest), .fresh = t->fresh};
	for (size_t i = 0; i < t->in->names.n; i++)
		arena_strs_add(a, &out->names, arena_dup(a, t->in->names.v[i]));
	return 0;
}

static int get_others(struct transfer *t, struct err *e)
{
	struct image_others o = {.store = t->s,
				 .stage = t->stage,
				 .fetch = t->in->fetch,
				 .opts = t->in->opts,
				 .source = t->in->source,
				 .index = t->source_digest,
				 .chosen = t->manifest_doc.digest};

	if (!t->in->opts->all_platforms || streq(t->source_digest, t->manifest_doc.digest))
		return 0;
	return image_others_fetch(&o, &t->arena, &t->others, e);
}

static int run(struct transfer *t, struct arena *a, struct image_pulled *out, struct err *e)
{
	int r = rootfs_form(t->s, &t->form, e);

	if (r >= 0)
		r = stage_new(t->s, &t->stage, e);
	if (r >= 0)
		r = get_manifest(t, e);
	if (r >= 0)
		r = allowed(t, e);
	if (r >= 0)
		r = get_config(t, e);
	if (r < 0)
		return r;
	tell(t, IMAGE_EVENT_RESOLVED, NULL, 0);
	r = plan_jobs(t, e);
	if (r >= 0)
		r = run_jobs(t, e);
	if (r >= 0)
		r = get_others(t, e);
	return r < 0 ? r : record(t, a, out, e);
}

/* After a broken connection whole blobs stay for the next try.  When there will be none, or no
 * room, they go at once. */
static void tidy(struct store *s, const struct err *why)
{
	struct statvfs fs;
	bool full = fstatvfs(store_root_fd(s), &fs) < 0 || fs.f_bavail * fs.f_bsize < ROOM_WANTED;

	if (full)
		part_sweep(s, 0, NULL, NULL);
	if (full || (why->kind != ERR_SYSTEM && why->kind != ERR_TIMEOUT))
		gc_run(s, NULL, NULL);
}

int image_transfer(const struct image_transfer *in, struct arena *a, struct image_pulled *out,
		   struct err *e)
{
	struct transfer *t = calloc(1, sizeof(*t));
	struct err why = ERR_INIT;
	int r;

	if (!t)
		abort();
	t->in = in;
	t->s = in->store;
	trace_begin(TRACE_FETCH);
	r = run(t, a, out, &why);
	trace_end(TRACE_FETCH);
	for (size_t i = 0; i < t->njobs; i++)
		part_close(t->s, &t->jobs[i].part);
	stage_free(t->stage);
	arena_free(&t->arena);
	free(t);
	if (r < 0) {
		tidy(in->store, &why);
		if (e)
			*e = why;
	}
	return r;
}
