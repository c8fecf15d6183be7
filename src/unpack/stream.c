/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation.  NBUF buffers are used in turn; buffer i of turn t is number t * NBUF + i.
 * `made` counts buffers the producer has filled, `hashed` and `taken` those that a consumer is done
 * with.  Invariants, all under `lock`:
 *   1. hashed <= made, taken <= made, made <= min(hashed, taken) + NBUF.
 *   2. a buffer between `hashed`/`taken` and `made` is read-only; the producer writes only to
 * buffer number `made`, outside the lock, when 1 allows one more.
 *   3. `ended` is set once, after the last buffer; `failed` is set once, by whoever failed first,
 * and makes everybody stop at the next buffer.
 */
#include "unpack/stream.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/limits.h"
#include "sys/fd.h"
#include "unpack/inflate.h"

#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The least CPU time of what was tried on 2 busy cores, 1.2 GB of tar from gzip into tmpfs: 256 and
 * 512 KiB 2.8 s, 1 MiB 2.9 s, 2 MiB 3.2 s (out of the cache), 128 KiB 3.4 s (wake-ups, and igzip
 * copies its window for every buffer).  More than 6 buffers brought nothing, and several layers
 * unpack at once: this is what each of them costs. */
#define NBUF	 6
#define BUF_SIZE (256 << 10)
#define IN_SIZE	 (128 << 10)

struct stream {
	struct stream_opts opts;
	pthread_t producer, hasher;
	bool started[2];
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t made, hashed, taken;
	bool ended, failed, holding; /* holding: the caller has buffer `taken` */
	struct err err;
	EVP_MD_CTX *blob_md, *diff_md;
	uint64_t blob_size, tar_size;
	int64_t blob_hash_ns, producer_ns, tar_hash_ns; /* each written by one thread */
	size_t len[NBUF];
	uint8_t *in, *buf[NBUF];
};

int64_t stream_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static EVP_MD *sha256;

int stream_prepare(struct err *e)
{
	if (!sha256)
		sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	return sha256 ? 0 : err_set(e, ERR_SYSTEM, "OpenSSL has no SHA-256");
}

static void fail(struct stream *s, const struct err *e)
{
	pthread_mutex_lock(&s->lock);
	if (!s->failed)
		s->err = *e;
	s->failed = true;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

static int failure(struct stream *s, struct err *e)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = s->failed ? err_set(e, (enum err_kind)s->err.kind, "%s", s->err.msg) : 0;
	if (r < 0 && e)
		e->sys = s->err.sys;
	if (r < 0 && s->err.kind == ERR_SYSTEM && s->err.sys)
		r = -s->err.sys;
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* Producer: wait until one more buffer may be written.  NULL when somebody failed. */
static uint8_t *buffer_wait(struct stream *s)
{
	uint8_t *p;

	pthread_mutex_lock(&s->lock);
	while (!s->failed && (s->made - s->hashed >= NBUF || s->made - s->taken >= NBUF))
		pthread_cond_wait(&s->moved, &s->lock);
	p = s->failed ? NULL : s->buf[s->made % NBUF];
	pthread_mutex_unlock(&s->lock);
	return p;
}

static void buffer_made(struct stream *s, size_t len)
{
	pthread_mutex_lock(&s->lock);
	s->len[s->made % NBUF] = len;
	s->made++;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

/* Consumers: wait for buffer number n.  Returns false at the end and on failure. */
static bool buffer_next(struct stream *s, uint64_t n)
{
	bool ok;

	pthread_mutex_lock(&s->lock);
	while (!s->failed && s->made <= n && !s->ended)
		pthread_cond_wait(&s->moved, &s->lock);
	ok = !s->failed && s->made > n;
	pthread_mutex_unlock(&s->lock);
	return ok;
}

static void buffer_done(struct stream *s, uint64_t *counter)
{
	pthread_mutex_lock(&s->lock);
	++*counter;
	pthread_cond_broadcast(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

/* A reader that is slow or gone must not hold the transfer up: one try, the result is not used. */
static void progress(struct stream *s)
{
	char line[48];
	int n;

	if (s->opts.progress_fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%llu %llu\n", (unsigned long long)s->blob_size,
		     (unsigned long long)s->tar_size);
	if (write(s->opts.progress_fd, line, (size_t)n) < 0 && errno != EAGAIN && errno != EINTR)
		s->opts.progress_fd = -1;
}

/* Read and hash the next piece of the blob. */
static ssize_t blob_read(struct stream *s, struct err *e)
{
	ssize_t n = fd_read_full(s->opts.in_fd, s->in, IN_SIZE);
	int64_t begin;

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "read the blob");
	}
	begin = stream_cpu_ns();
	EVP_DigestUpdate(s->blob_md, s->in, (size_t)n);
	s->blob_hash_ns += stream_cpu_ns() - begin;
	s->blob_size += (uint64_t)n;
	if (s->opts.blob_size >= 0 && s->blob_size > (uint64_t)s->opts.blob_size)
		return err_set(e, ERR_CORRUPT, "blob is longer than the %lld bytes promised",
			       (long long)s->opts.blob_size);
	return n;
}

static int grown(struct stream *s, size_t by, struct err *e)
{
	s->tar_size += by;
	if (s->tar_size > s->opts.max_bytes)
		return err_set(e, ERR_LIMIT, "layer is larger than %llu bytes when unpacked",
			       (unsigned long long)s->opts.max_bytes);
	if (s->tar_size > LIMIT_RATIO_FREE && s->tar_size / LIMIT_RATIO > s->blob_size)
		return err_set(
		    e, ERR_LIMIT,
		    "%llu bytes unpack to more than %d times as many (decompression bomb?)",
		    (unsigned long long)s->blob_size, LIMIT_RATIO);
	return 0;
}

/* Inflate everything that s->in holds; *out is the buffer being filled. */
static int inflate_piece(struct stream *s, struct inflate *z, size_t len, uint8_t **out,
			 size_t *room, struct err *e)
{
	const uint8_t *in = s->in;
	size_t before;
	int r;

	/* Go on after the input is used up while the output came out full: there may be more
	 * inside. */
	do {
		size_t in_before = len;

		before = *room;
		r = inflate_run(z, &in, &len, out, room, e);
		if (r < 0)
			return r;
		r = grown(s, before - *room, e);
		if (r < 0)
			return r;
		if (before && before == *room && in_before == len)
			return len ? err_set(e, ERR_CORRUPT, "%s data makes no progress",
					     inflate_name(z))
				   : 0;
		if (*room == 0) {
			buffer_made(s, BUF_SIZE);
			*out = buffer_wait(s);
			if (!*out)
				return -ECANCELED;
			*room = BUF_SIZE;
		}
	} while (len || *room == BUF_SIZE);
	return 0;
}

static int produce(struct stream *s, struct inflate **z, struct err *e)
{
	uint8_t *out = buffer_wait(s);
	size_t room = BUF_SIZE;
	ssize_t n;
	int r;

	if (!out)
		return -ECANCELED;
	for (;;) {
		n = blob_read(s, e);
		if (n < 0)
			return (int)n;
		if (!*z && (r = inflate_new(s->in, (size_t)n, s->opts.any_codec, z, e)) < 0)
			return r;
		if (n == 0)
			break;
		r = inflate_piece(s, *z, (size_t)n, &out, &room, e);
		if (r < 0)
			return r;
		progress(s);
	}
	r = inflate_end(*z, e);
	if (r < 0)
		return r;
	if (room < BUF_SIZE)
		buffer_made(s, BUF_SIZE - room);
	return 0;
}

static void print_digest(EVP_MD_CTX *md, char out[DIGEST_LEN + 1])
{
	unsigned char sum[32];

	EVP_DigestFinal_ex(md, sum, NULL);
	digest_print(sum, out);
}

static int check_blob(struct stream *s, char got[DIGEST_LEN + 1], struct err *e)
{
	print_digest(s->blob_md, got);
	if (s->opts.blob_size >= 0 && s->blob_size != (uint64_t)s->opts.blob_size)
		return err_set(e, ERR_CORRUPT, "blob has %llu bytes, %lld were promised",
			       (unsigned long long)s->blob_size, (long long)s->opts.blob_size);
	if (s->opts.blob_digest && !streq(s->opts.blob_digest, got))
		return err_set(e, ERR_CORRUPT, "blob is %s, expected %s", got, s->opts.blob_digest);
	return 0;
}

/* The contents did not inflate.  When the blob as a whole is not the promised one, that is the
 * better explanation: read it to its promised end to know. */
static void explain(struct stream *s, struct err *e)
{
	char got[DIGEST_LEN + 1];
	struct err other = ERR_INIT;

	if (e->kind != ERR_CORRUPT || !s->opts.blob_digest || s->opts.blob_size < 0)
		return;
	while (blob_read(s, &other) > 0)
		;
	if (other.kind == ERR_NONE && check_blob(s, got, &other) < 0)
		*e = other;
}

static void *produce_thread(void *arg)
{
	struct stream *s = arg;
	struct inflate *z = NULL;
	struct err e = ERR_INIT;

	if (produce(s, &z, &e) < 0) {
		if (e.kind != ERR_NONE) {
			explain(s, &e);
			fail(s, &e);
		}
	} else {
		pthread_mutex_lock(&s->lock);
		s->ended = true;
		pthread_cond_broadcast(&s->moved);
		pthread_mutex_unlock(&s->lock);
	}
	inflate_free(z);
	s->producer_ns = stream_cpu_ns();
	return NULL;
}

static void *hash_thread(void *arg)
{
	struct stream *s = arg;

	while (buffer_next(s, s->hashed)) {
		EVP_DigestUpdate(s->diff_md, s->buf[s->hashed % NBUF], s->len[s->hashed % NBUF]);
		buffer_done(s, &s->hashed);
	}
	s->tar_hash_ns = stream_cpu_ns();
	return NULL;
}

int stream_open(const struct stream_opts *opts, struct stream **out, struct err *e)
{
	struct stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		abort();
	s->opts = *opts;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->moved, NULL);
	s->in = malloc(IN_SIZE);
	s->blob_md = EVP_MD_CTX_new();
	s->diff_md = EVP_MD_CTX_new();
	for (int i = 0; i < NBUF; i++)
		if (!(s->buf[i] = malloc(BUF_SIZE)))
			abort();
	if (!s->in || !s->blob_md || !s->diff_md)
		abort();
	EVP_DigestInit_ex(s->blob_md, sha256, NULL);
	EVP_DigestInit_ex(s->diff_md, sha256, NULL);
	r = pthread_create(&s->producer, NULL, produce_thread, s);
	s->started[0] = r == 0;
	if (r == 0) {
		r = pthread_create(&s->hasher, NULL, hash_thread, s);
		s->started[1] = r == 0;
	}
	if (r) {
		stream_close(s);
		errno = r;
		return err_sys(e, "start a thread");
	}
	*out = s;
	return 0;
}

ssize_t stream_next(struct stream *s, const void **data, struct err *e)
{
	if (s->holding)
		buffer_done(s, &s->taken);
	s->holding = buffer_next(s, s->taken);
	if (!s->holding)
		return failure(s, e);
	*data = s->buf[s->taken % NBUF];
	return (ssize_t)s->len[s->taken % NBUF];
}

static bool zeros(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && !memcmp(p, p + 1, len - 1));
}

static void join(struct stream *s)
{
	if (s->started[0])
		pthread_join(s->producer, NULL);
	if (s->started[1])
		pthread_join(s->hasher, NULL);
	s->started[0] = s->started[1] = false;
}

int stream_finish(struct stream *s, struct stream_result *out, struct err *e)
{
	bool clean = true;
	const void *p;
	ssize_t n;
	int r;

	while ((n = stream_next(s, &p, e)) > 0)
		clean = clean && zeros(p, (size_t)n);
	if (n < 0)
		return (int)n;
	join(s);
	r = check_blob(s, out->blob_digest, e);
	if (r < 0)
		return r;
	print_digest(s->diff_md, out->diff_id);
	if (s->opts.diff_id && !streq(s->opts.diff_id, out->diff_id))
		return err_set(e, ERR_CORRUPT, "layer's diff id is %s, expected %s", out->diff_id,
			       s->opts.diff_id);
	if (!clean)
		return err_set(e, ERR_CORRUPT, "bytes behind the end of the tar");
	out->blob_size = s->blob_size;
	out->tar_size = s->tar_size;
	out->blob_hash_ns = s->blob_hash_ns;
	out->inflate_ns = s->producer_ns - s->blob_hash_ns;
	out->tar_hash_ns = s->tar_hash_ns;
	return 0;
}

void stream_close(struct stream *s)
{
	struct err stop = ERR_INIT;

	if (!s)
		return;
	err_set(&stop, ERR_CANCELED, "stopped");
	fail(s, &stop);
	join(s);
	EVP_MD_CTX_free(s->blob_md);
	EVP_MD_CTX_free(s->diff_md);
	for (int i = 0; i < NBUF; i++)
		free(s->buf[i]);
	free(s->in);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->moved);
	free(s);
}
