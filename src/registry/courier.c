/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/courier.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "registry/blob_sink.h"
#include "registry/source.h"
#include "sys/fd.h"
#include "sys/sock.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#define FDS_MAX 2

struct request {
	struct source *source;
	int sock;
	struct arena arena;
	struct fetch_msg msg;
	int fds[FDS_MAX];
	size_t nfds;
	sem_t *slots;
};

/* A packet is sent whole or not at all, so threads need no lock among themselves. */
static void answer(const struct request *r, const struct fetch_msg *m)
{
	auto_buf struct buf text = BUF_INIT(FETCH_PACKET_MAX);

	fetch_print(m, &text);
	sock_send_fds(r->sock, text.p, text.len, NULL, 0);
}

/* Bytes that came, or went. */
static void report(void *arg, uint64_t got)
{
	struct request *r = arg;
	struct fetch_msg m = {.id = r->msg.id, .op = "got", .size = got};

	answer(r, &m);
}

static int put(int fd, const struct buf *text, struct err *e)
{
	errno = -fd_write_all(fd, text->p, text->len);
	return errno ? err_sys(e, "cannot write what was fetched") : 0;
}

static int do_list(struct request *r, struct fetch_msg *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FETCH_LIST_MAX);
	struct fetch_list l = {0};
	int rc = r->source->ops->list(r->source, &r->arena, &l, e);

	if (rc < 0)
		return rc;
	fetch_print_list(&l, &text);
	rc = buf_fail(&text, "list of images", e);
	return rc < 0 ? rc : put(r->fds[0], &text, e);
}

static int do_referrers(struct request *r, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	int rc;

	if (!r->msg.digest || !digest_valid(r->msg.digest))
		return err_set(e, ERR_USAGE, "referrers are asked for by digest");
	rc = r->source->ops->referrers(r->source, r->msg.digest, r->msg.media_type, &text, e);
	return rc < 0 ? rc : put(r->fds[0], &text, e);
}

static int do_search(struct request *r, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FETCH_FOUND_MAX);
	int rc = r->source->ops->search(r->source, r->msg.ref, r->msg.size, &text, e);

	return rc < 0 ? rc : put(r->fds[0], &text, e);
}

static int do_manifest(struct request *r, struct fetch_msg *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	unsigned char sum[32];
	char *digest = arena_alloc(&r->arena, DIGEST_LEN + 1);
	int rc =
	    r->source->ops->manifest(r->source, r->msg.ref, &text, &out->media_type, &r->arena, e);

	if (rc >= 0)
		rc = buf_fail(&text, "manifest", e);
	if (rc < 0)
		return rc;
	sha256_of(text.p, text.len, sum);
	digest_print(sum, digest);
	if (r->msg.ref && digest_valid(r->msg.ref) && !streq(r->msg.ref, digest))
		return err_set(e, ERR_CORRUPT, "manifest %.19s: wrong digest, the bytes have %.19s",
			       r->msg.ref, digest);
	out->digest = digest;
	out->size = text.len;
	return put(r->fds[0], &text, e);
}

static int do_blob(struct request *r, struct fetch_msg *out, struct err *e)
{
	struct blob_sink *sink;
	int rc;

	if (!r->msg.digest || !digest_valid(r->msg.digest))
		return err_set(e, ERR_USAGE, "a blob is asked for by digest");
	sink = blob_sink_new(r->fds[0], r->nfds > 1 ? r->fds[1] : -1, r->msg.digest, r->msg.size,
			     report, r);
	rc = r->msg.have ? blob_sink_resume(sink, r->msg.have, e) : 0;
	if (rc >= 0 && (blob_sink_got(sink) < r->msg.size || !r->msg.have))
		rc = r->source->ops->blob(r->source, r->msg.digest, sink, e);
	if (rc >= 0)
		rc = blob_sink_finish(sink, e);
	out->size = blob_sink_got(sink);
	blob_sink_free(sink);
	return rc;
}

static int do_push(struct request *r, struct fetch_msg *out, bool manifest, struct err *e)
{
	const struct fetch_msg *m = &r->msg;
	struct source_push p = {.file = r->fds[0],
				.digest = m->digest,
				.size = m->size,
				.from = m->from,
				.ref = m->ref,
				.media_type = m->media_type,
				.report = report,
				.arg = r,
				.how = &out->how};

	if (!m->digest || !digest_valid(m->digest) || (manifest && (!m->ref || !m->media_type)))
		return err_set(e, ERR_USAGE, "what is pushed has a digest and a name");
	out->size = m->size;
	return manifest ? r->source->ops->push_manifest(r->source, &p, e)
			: r->source->ops->push_blob(r->source, &p, e);
}

static int do_have(struct request *r, struct fetch_msg *out, struct err *e)
{
	struct source_push p = {.file = -1,
				.digest = r->msg.digest,
				.size = r->msg.size,
				.from = r->msg.from,
				.how = &out->how};

	if (!p.digest || !digest_valid(p.digest))
		return err_set(e, ERR_USAGE, "a blob is asked for by digest");
	return r->source->ops->have_blob(r->source, &p, e);
}

static int do_get(struct request *r, struct fetch_msg *out, struct err *e)
{
	struct source_got got = {.report = report, .arg = r};
	int rc = r->source->ops->get(r->source, r->msg.ref, r->fds[0], &got, e);

	if (rc < 0)
		return rc;
	out->digest = arena_dup(&r->arena, got.digest);
	out->size = got.size;
	out->modified = (uint64_t)got.modified;
	return 0;
}

static int dispatch(struct request *r, struct fetch_msg *out, struct err *e)
{
	const struct source_ops *ops = r->source->ops;

	if (ops->login && streq(r->msg.op, "login") && r->msg.user && r->msg.secret)
		return ops->login(r->source, r->msg.user, r->msg.secret, e);
	if (ops->remove && streq(r->msg.op, "remove") && r->msg.ref)
		return ops->remove(r->source, r->msg.ref, &r->arena, &out->how, e);
	if (ops->have_blob && streq(r->msg.op, "have"))
		return do_have(r, out, e);
	if (!r->nfds)
		return err_set(e, ERR_USAGE, "a request without a descriptor");
	if (ops->push_blob && streq(r->msg.op, "push-blob"))
		return do_push(r, out, false, e);
	if (ops->push_manifest && streq(r->msg.op, "push-manifest"))
		return do_push(r, out, true, e);
	if (ops->get && streq(r->msg.op, "get") && r->msg.ref)
		return do_get(r, out, e);
	if (ops->search && streq(r->msg.op, "search") && r->msg.ref)
		return do_search(r, e);
	if (ops->list && streq(r->msg.op, "list"))
		return do_list(r, out, e);
	if (ops->referrers && streq(r->msg.op, "referrers"))
		return do_referrers(r, e);
	if (ops->manifest && streq(r->msg.op, "manifest"))
		return do_manifest(r, out, e);
	if (ops->blob && streq(r->msg.op, "blob"))
		return do_blob(r, out, e);
	return err_set(e, ERR_UNSUPPORTED, "unknown request '%.20s'", r->msg.op);
}

static void *work(void *arg)
{
	struct request *r = arg;
	struct fetch_msg out = {.id = r->msg.id, .op = "ok"};
	struct err e = ERR_INIT;

	if (dispatch(r, &out, &e) < 0)
		fetch_from_err(&out, &e);
	/* The pipe ends before the answer is sent: whoever reads the answer may wait for its
	 * reader. */
	for (size_t i = 0; i < r->nfds; i++)
		close(r->fds[i]);
	answer(r, &out);
	sem_post(r->slots);
	arena_free(&r->arena);
	free(r);
	return NULL;
}

static int receive(struct request *r, struct err *e)
{
	char text[FETCH_PACKET_MAX];
	ssize_t n;

	r->nfds = FDS_MAX;
	n = sock_recv_fds(r->sock, text, sizeof(text), r->fds, &r->nfds);
	if (n <= 0) {
		r->nfds = n < 0 ? 0 : r->nfds;
		return (int)n;
	}
	return fetch_parse(text, (size_t)n, &r->arena, &r->msg, e) < 0 ? -EBADMSG : 1;
}

static int start(struct request *r)
{
	pthread_attr_t attr;
	pthread_t t;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&t, &attr, work, r);
	pthread_attr_destroy(&attr);
	return -rc;
}

int courier_run(struct source *s, int sock)
{
	static sem_t slots; /* outlives detached threads at exit */
	int rc;

	sem_init(&slots, 0, COURIER_THREADS_MAX);
	for (;;) {
		struct request *r = calloc(1, sizeof(*r));

		if (!r)
			abort();
		*r = (struct request){.source = s, .sock = sock, .slots = &slots};
		rc = receive(r, NULL);
		if (rc > 0) {
			while (sem_wait(&slots) < 0)
				;
			rc = start(r);
			if (rc == 0)
				continue;
		}
		for (size_t i = 0; i < r->nfds; i++)
			close(r->fds[i]);
		arena_free(&r->arena);
		free(r);
		return rc;
	}
}

int courier_refuse(int sock, const struct err *why)
{
	for (;;) {
		struct request r = {.sock = sock};
		struct fetch_msg out = {0};
		int rc = receive(&r, NULL);

		fetch_from_err(&out, why);
		out.id = r.msg.id;
		if (rc > 0)
			answer(&r, &out);
		for (size_t i = 0; i < r.nfds; i++)
			close(r.fds[i]);
		arena_free(&r.arena);
		if (rc <= 0)
			return rc;
	}
}
