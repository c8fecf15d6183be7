/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory: a blob's upload is a session at the registry, named by `location`; every answer may move
 * it.  Steps: look (HEAD), begin (POST, perhaps with a mount), send, close (PUT with the digest).
 * Invariants:
 *  1. `at` is what the registry said that it has, never what was sent.
 *  2. After any failure that may pass, the registry is asked: first whether the blob is there by
 *     now, then how far the session is; a session that it does not know begins anew.
 *  3. `at` never goes back within a session, and FRUITLESS_MAX failures in a row without progress
 *     end the upload, so a lying registry cannot keep us busy for ever.
 */
#include "registry/upload.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "registry/distribution.h"
#include "registry/source.h"
#include "registry/transfer.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define FRUITLESS_MAX 5
#define REPORT_EVERY  (512u << 10)
#define CHUNK_MAX     (1ull << 30) /* a registry may ask for larger pieces than ours, up to this */

struct upload {
	struct distribution *d;
	const struct source_push *p;
	struct arena arena;
	const char *what;     /* in errors */
	const char *location; /* of the session; NULL: there is none */
	uint64_t at, chunk;
	uint64_t reported;
	bool mount, done;
	bool again; /* the last failure may pass */
	long retry_after;
};

int upload_range(const char *value, uint64_t *have)
{
	const char *last = str_after(value, "0-");
	unsigned long long v;
	char *end;

	if (!last || !isdigit((unsigned char)*last))
		return -EBADMSG;
	errno = 0;
	v = strtoull(last, &end, 10);
	if (errno || *end || v >= UINT64_MAX)
		return -EBADMSG;
	*have = v + 1;
	return 0;
}

/* ---- one request ---- */

static ssize_t read_file(void *arg, uint64_t at, void *data, size_t len, struct err *e)
{
	struct upload *u = arg;
	ssize_t n;

	do
		n = pread(u->p->file, data, len, (off_t)(u->at + at));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "cannot read %s", u->what);
	if (n == 0 && len > 0)
		return err_set(e, ERR_CORRUPT, "%s is shorter than %llu bytes", u->what,
			       (unsigned long long)u->p->size);
	if (u->p->report && u->at + at + (uint64_t)n >= u->reported + REPORT_EVERY) {
		u->reported = u->at + at + (uint64_t)n;
		u->p->report(u->p->arg, u->reported);
	}
	return n;
}

/* 0 with an answer that is not a passing failure. */
static int ask(struct upload *u, struct transfer *t, const char *where, struct err *e)
{
	int logins = 0;
	int r = distribution_exchange(u->d, t, where, &logins, &u->arena, e);

	u->again = r < 0 ? t->again && !t->local : distribution_passing(t->status);
	u->retry_after = t->retry_after;
	if (r < 0)
		return t->local
			   ? r
			   : err_wrap(e, r, "registry '%s': %s", distribution_name(u->d), u->what);
	if (u->again)
		return distribution_refused(u->d, u->what, t->status, e);
	return 0;
}

static int refused(struct upload *u, const struct transfer *t, struct err *e)
{
	u->again = false;
	/* "has no blob" would be nonsense where it was to be put. */
	if (t->status == 404)
		return err_set(e, ERR_NOT_FOUND,
			       "registry '%s' does not take %s: there is no such repository",
			       distribution_name(u->d), u->what);
	return distribution_refused(u->d, u->what, t->status, e);
}

static int moved(struct upload *u, const struct transfer *t, struct err *e)
{
	if (t->location)
		u->location = t->location;
	if (u->location)
		return 0;
	u->again = false;
	return err_set(e, ERR_CORRUPT, "registry '%s' does not say where %s goes",
		       distribution_name(u->d), u->what);
}

/* ---- steps ---- */

static int look(struct upload *u, struct err *e)
{
	struct transfer t = {.method = "HEAD"};
	int r = ask(u, &t, arena_printf(&u->arena, "blobs/%s", u->p->digest), e);

	if (r < 0)
		return r;
	u->done = t.status == 200;
	/* 404: not yet.  Some answer 401 or 403 for a repository that is still to be made; whether
	 * we may write is what the POST says. */
	return t.status == 200 || t.status / 100 == 4 ? 0 : refused(u, &t, e);
}

static int begin(struct upload *u, struct err *e)
{
	const char *where = "blobs/uploads/";
	struct transfer t = {.method = "POST"};
	bool mount = u->mount;
	int r;

	if (mount)
		where =
		    arena_printf(&u->arena, "%s?mount=%s&from=%s", where, u->p->digest, u->p->from);
	u->mount = false; /* asked once; a registry that cannot just begins an upload */
	u->at = 0;
	r = ask(u, &t, where, e);
	if (r < 0)
		return r;
	if (mount && t.status == 201) {
		u->done = true;
		*u->p->how = "mounted";
		return 0;
	}
	if (mount && t.status / 100 == 4 && t.status != 401)
		return begin(u, e);
	if (t.status != 202)
		return refused(u, &t, e);
	u->chunk = t.chunk_min > UPLOAD_CHUNK ? t.chunk_min : UPLOAD_CHUNK;
	if (u->chunk > CHUNK_MAX)
		u->chunk = CHUNK_MAX;
	return moved(u, &t, e);
}

/* What the registry has of the session; a registry that does not know it gets a new one. */
static int resume(struct upload *u, struct err *e)
{
	struct transfer t = {.method = "GET"};
	uint64_t have = 0;
	int r = ask(u, &t, u->location, e);

	if (r < 0)
		return r;
	/* "0-0" is one byte, or how some say that there is none. */
	if (t.status / 100 != 2 || !t.range || upload_range(t.range, &have) < 0 || have <= 1 ||
	    have < u->at || have > u->p->size) {
		u->location = NULL;
		return 0;
	}
	u->at = have;
	return moved(u, &t, e);
}

/* A piece.  The registry may have taken less of it than was sent, which Range says. */
static int send_chunk(struct upload *u, struct err *e)
{
	uint64_t left = u->p->size - u->at, n = left < u->chunk ? left : u->chunk, have = u->at + n;
	struct transfer t = {.method = "PATCH",
			     .send = read_file,
			     .send_arg = u,
			     .send_size = n,
			     .content_type = "application/octet-stream"};
	int r;

	t.content_range = arena_printf(&u->arena, "%llu-%llu", (unsigned long long)u->at,
				       (unsigned long long)(u->at + n - 1));
	r = ask(u, &t, u->location, e);
	if (r < 0)
		return r;
	if (t.status == 416)
		return u->again = true,
		       err_set(e, ERR_SYSTEM, "registry '%s': %s: pieces arrived out of order",
			       distribution_name(u->d), u->what);
	if (t.status / 100 != 2)
		return refused(u, &t, e);
	if (t.range && (upload_range(t.range, &have) < 0 || have < u->at || have > u->at + n))
		return err_set(e, ERR_CORRUPT,
			       "registry '%s' says that it has '%.40s' of %s, which was not sent",
			       distribution_name(u->d), t.range, u->what);
	if (have == u->at)
		return u->again = true, err_set(e, ERR_CORRUPT, "registry '%s' takes nothing of %s",
						distribution_name(u->d), u->what);
	u->at = have;
	return moved(u, &t, e);
}

/* The last request names the digest; a small blob's bytes go with it. */
static int finish(struct upload *u, struct err *e)
{
	struct transfer t = {.method = "PUT",
			     .send = read_file,
			     .send_arg = u,
			     .send_size = u->p->size - u->at,
			     .content_type = "application/octet-stream"};
	const char *url = arena_printf(&u->arena, "%s%sdigest=%s", u->location,
				       strchr(u->location, '?') ? "&" : "?", u->p->digest);
	int r = ask(u, &t, url, e);

	if (r < 0)
		return r;
	if (t.status / 100 != 2)
		return refused(u, &t, e);
	if (t.digest && !streq(t.digest, u->p->digest))
		return err_set(e, ERR_CORRUPT, "registry '%s' made %.19s of %s",
			       distribution_name(u->d), t.digest, u->what);
	u->done = true;
	return 0;
}

static int once(struct upload *u, bool retry, struct err *e)
{
	int r = 0;

	/* The answer to a PUT that worked may have been lost. */
	if (!u->location || retry)
		r = look(u, e);
	if (r < 0)
		return r;
	if (u->done) {
		*u->p->how = retry ? "uploaded" : "exists";
		return 0;
	}
	if (u->p->size <= u->chunk)
		u->location = NULL; /* it goes whole, or again */
	if (u->location)
		r = resume(u, e);
	if (r >= 0 && !u->location)
		r = begin(u, e);
	while (r >= 0 && !u->done && u->p->size > u->chunk && u->at < u->p->size)
		r = send_chunk(u, e);
	if (r >= 0 && !u->done) {
		*u->p->how = "uploaded";
		r = finish(u, e);
	}
	return r;
}

/* Do step() until it works or will not. */
static int persist(struct upload *u, int (*step)(struct upload *u, bool retry, struct err *e),
		   struct err *e)
{
	uint64_t most = 0;
	int r, fruitless = 0;
	bool retry = false;

	for (;;) {
		struct err why = ERR_INIT;

		r = step(u, retry, &why);
		if (r >= 0)
			break;
		fruitless = u->at > most ? 0 : fruitless + 1;
		most = u->at > most ? u->at : most;
		if (!u->again || fruitless >= FRUITLESS_MAX) {
			if (e)
				*e = why;
			break;
		}
		retry = true;
		distribution_pause(fruitless, u->retry_after);
	}
	arena_free(&u->arena);
	return r;
}

int upload_blob(struct distribution *d, const struct source_push *p, struct err *e)
{
	struct upload u = {.d = d, .p = p, .chunk = UPLOAD_CHUNK, .mount = p->from != NULL};

	u.what = arena_printf(&u.arena, "blob %.19s", p->digest);
	return persist(&u, once, e);
}

/* An upload that a failed mount began is left to the registry to forget. */
static int look_or_mount(struct upload *u, bool retry, struct err *e)
{
	int r = look(u, e);

	*u->p->how = "exists";
	if (r < 0 || u->done)
		return r;
	if (u->p->from && !retry)
		r = begin(u, e);
	if (r >= 0 && !u->done)
		*u->p->how = "absent";
	return r;
}

int upload_have(struct distribution *d, const struct source_push *p, struct err *e)
{
	struct upload u = {.d = d, .p = p, .mount = p->from != NULL};

	u.what = arena_printf(&u.arena, "blob %.19s", p->digest);
	return persist(&u, look_or_mount, e);
}

/* ---- manifests ---- */

static int put_manifest(struct upload *u, bool retry, struct err *e)
{
	struct transfer t = {.method = "PUT",
			     .send = read_file,
			     .send_arg = u,
			     .send_size = u->p->size,
			     .content_type = u->p->media_type};
	int r = ask(u, &t, arena_printf(&u->arena, "manifests/%s", u->p->ref), e);

	if (r < 0)
		return r;
	if (t.status / 100 != 2)
		return refused(u, &t, e);
	if (t.digest && !streq(t.digest, u->p->digest))
		return err_set(e, ERR_CORRUPT, "registry '%s' made %.19s of %s",
			       distribution_name(u->d), t.digest, u->what);
	return 0;
}

int upload_manifest(struct distribution *d, const struct source_push *p, struct err *e)
{
	struct upload u = {.d = d, .p = p};

	u.what = arena_printf(&u.arena, "manifest '%s'", p->ref);
	return persist(&u, put_manifest, e);
}
