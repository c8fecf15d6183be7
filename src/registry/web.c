/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/web.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/limits.h"
#include "registry/distribution.h"
#include "registry/origin.h"
#include "registry/source.h"
#include "registry/transfer.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <unistd.h>

#define REDIRECTS_MAX	 10
#define ATTEMPTS_MAX	 4
#define CERTIFICATES_MAX (4u << 20)

struct web {
	struct source source;
	char *ca_pem;
	long stall_seconds;
};

/* One attempt: all of it, from the beginning. */
struct attempt {
	int file;
	struct sha256 sum;
	uint64_t size;
	struct source_got *got;
};

static int keep(void *arg, const void *data, size_t len, struct err *e)
{
	struct attempt *at = arg;

	at->size += len;
	if (at->size > LIMIT_TAR_BYTES)
		return err_set(e, ERR_LIMIT, "more than %llu bytes",
			       (unsigned long long)LIMIT_TAR_BYTES);
	sha256_add(&at->sum, data, len);
	errno = -fd_write_all(at->file, data, len);
	if (errno)
		return err_sys(e, "cannot write what was fetched");
	if (at->got->report)
		at->got->report(at->got->arg, at->size);
	return 0;
}

static int check_hop(const struct origin *first, const struct origin *to, struct err *e)
{
	if (streq(first->scheme, "https") && !streq(to->scheme, "https"))
		return err_set(e, ERR_DENIED, "it redirects to plain HTTP ('%.100s')", to->host);
	if (to->loopback && !first->loopback)
		return err_set(e, ERR_DENIED, "it redirects to this machine's '%.100s'", to->host);
	return 0;
}

static int follow(const struct web *w, const char *url, struct transfer *t, struct arena *a,
		  struct err *e)
{
	struct origin first, to;
	int r = origin_parse(url, a, &first, e);

	t->url = url;
	t->ca_pem = w->ca_pem;
	t->stall_seconds = w->stall_seconds;
	for (int i = 0; r >= 0; i++) {
		r = origin_parse(t->url, a, &to, e);
		if (r >= 0)
			r = check_hop(&first, &to, e);
		if (r < 0)
			break;
		r = transfer_run(t, a, e);
		if (r < 0 || t->status / 100 != 3 || !t->location)
			return r;
		if (i == REDIRECTS_MAX)
			r = err_set(e, ERR_SYSTEM, "more than %d redirects", REDIRECTS_MAX);
		t->url = t->location;
	}
	t->again = false;
	return r;
}

static int judge(const struct transfer *t, struct err *e)
{
	if (t->status / 100 == 2)
		return 0;
	return err_set(e,
		       t->status == 404 || t->status == 410   ? ERR_NOT_FOUND
		       : t->status == 401 || t->status == 403 ? ERR_DENIED
							      : ERR_SYSTEM,
		       "the server answers with status %ld", t->status);
}

static int try_once(const struct web *w, const char *url, struct attempt *at, struct transfer *t,
		    struct arena *a, struct err *e)
{
	int r;

	*t = (struct transfer){.body = keep, .arg = at};
	at->size = 0;
	sha256_init(&at->sum);
	if (ftruncate(at->file, 0) < 0 || lseek(at->file, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot write what was fetched");
	r = follow(w, url, t, a, e);
	return r < 0 ? r : judge(t, e);
}

static int web_get(struct source *s, const char *url, int file, struct source_got *out,
		   struct err *e)
{
	const struct web *w = (const struct web *)s;
	auto_arena struct arena a = ARENA_INIT;
	struct attempt at = {.file = file, .got = out};
	struct err why = ERR_INIT;
	unsigned char sum[32];
	struct transfer t;
	int r;

	for (int n = 0;; n++) {
		why = ERR_INIT;
		r = try_once(w, url, &at, &t, &a, &why);
		if (r >= 0 || n == ATTEMPTS_MAX || t.local ||
		    !(t.again || distribution_passing(t.status)))
			break;
		distribution_pause(n, t.retry_after);
	}
	if (r < 0) {
		if (e)
			*e = why;
		return err_wrap(e, r, "'%.200s'", url);
	}
	sha256_done(&at.sum, sum);
	digest_print(sum, out->digest);
	out->size = at.size;
	out->modified = t.modified;
	return 0;
}

static void web_close(struct source *s)
{
	free(((struct web *)s)->ca_pem);
	free(s);
}

int web_open(const struct web_opts *o, struct source **out, struct err *e)
{
	static const struct source_ops ops = {.get = web_get, .close = web_close};
	struct web *w = calloc(1, sizeof(*w));
	ssize_t n = 0;

	if (!w)
		abort();
	w->source.ops = &ops;
	w->stall_seconds = o->stall_seconds;
	if (o->ca_file)
		n = file_read(AT_FDCWD, o->ca_file, CERTIFICATES_MAX, &w->ca_pem);
	if (n < 0) {
		free(w);
		errno = (int)-n;
		return err_sys(e, "'%s'", o->ca_file);
	}
	*out = &w->source;
	return 0;
}
