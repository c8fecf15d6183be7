/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/distribution.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/docker_config.h"
#include "fmt/oci_image.h"
#include "registry/blob_sink.h"
#include "registry/credentials.h"
#include "registry/login.h"
#include "registry/origin.h"
#include "registry/repository.h"
#include "registry/source.h"
#include "registry/transfer.h"
#include "registry/upload.h"
#include "sys/file.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#define REDIRECTS_MAX	 5
#define FRUITLESS_MIRROR 2  /* the same of a mirror */
#define FRUITLESS_MAX	 5  /* attempts in a row that brought nothing */
#define ATTEMPTS_MAX	 25 /* in all */
#define WAIT_MAX_SECONDS 60
#define CERTIFICATES_MAX (4u << 20)

struct distribution {
	struct source source;
	struct arena arena;
	const char *name; /* as the user knows the registry */
	const char *host, *repository, *ca_pem;
	struct hostconf_tls tls;
	bool insecure, mirror;
	bool index; /* not a repository, but what is known of all */
	long stall_seconds;
	struct docker_config credentials;
	pthread_mutex_t lock;
	bool plain;	     /* under lock: HTTP, after TLS failed on loopback */
	struct login *login; /* has its own lock */
};

/* One GET through redirects, authentication and repetition. */
struct get {
	struct distribution *d;
	struct arena arena;
	const char *path, *accept, *what; /* what: in errors, "manifest 'x'" */
	int (*body)(void *arg, const void *data, size_t len, struct err *e);
	void *arg;
	uint64_t got;  /* bytes delivered */
	uint64_t skip; /* of the present answer, still to be passed over */
	const char *media_type, *link;
	long status;
	int logins;
};

static bool is_plain(struct distribution *d)
{
	bool plain;

	pthread_mutex_lock(&d->lock);
	plain = d->plain;
	pthread_mutex_unlock(&d->lock);
	return plain;
}

static void set_plain(struct distribution *d)
{
	pthread_mutex_lock(&d->lock);
	d->plain = true;
	pthread_mutex_unlock(&d->lock);
}

static int deliver(void *arg, const void *data, size_t len, struct err *e)
{
	struct get *g = arg;
	size_t skip = g->skip < len ? (size_t)g->skip : len;
	int r;

	g->skip -= skip;
	if (skip == len)
		return 0;
	r = g->body(g->arg, (const char *)data + skip, len - skip, e);
	if (r >= 0)
		g->got += len - skip;
	return r;
}

/* One attempt at it. */
struct hop {
	struct get *g;
	struct transfer t;
	bool started;
};

/* A server that ignores the range sends everything again; what we have is passed over, and the
 * digest tells at the end whether it was the same. */
static int ranged(void *arg, const void *data, size_t len, struct err *e)
{
	struct hop *h = arg;

	if (!h->started) {
		h->started = true;
		if (h->t.offset > h->g->got)
			return err_set(e, ERR_CORRUPT,
				       "the registry sent a range that was not asked for");
		h->g->skip = h->g->got - h->t.offset;
	}
	return deliver(h->g, data, len, e);
}

/* Follow redirects by hand: the token goes only to the registry itself. */
static int follow(struct distribution *d, struct transfer *t, const struct origin *registry,
		  struct arena *a, struct err *e)
{
	int r = 0;

	for (int i = 0; r >= 0; i++) {
		struct origin to;

		r = origin_parse(t->url, a, &to, e);
		if (r >= 0)
			r = origin_check(registry, &to, e);
		if (r < 0)
			break;
		t->authorization = origin_same(registry, &to) ? login_header(d->login, a) : NULL;
		t->cert_pem = origin_same(registry, &to) ? d->tls.cert_pem : NULL;
		t->key_pem = t->cert_pem ? d->tls.key_pem : NULL;
		t->insecure = d->insecure && strcasecmp(registry->host, to.host) == 0;
		r = transfer_run(t, a, e);
		if (r < 0 || t->status / 100 != 3 || !t->location)
			return r;
		/* Other redirects would turn what is sent into a GET. */
		if (t->send && t->status != 307 && t->status != 308)
			return r;
		if (i == REDIRECTS_MAX) {
			r = err_set(e, ERR_SYSTEM, "more than %d redirects", REDIRECTS_MAX);
			break;
		}
		t->url = t->location;
	}
	t->again = false;
	return r;
}

static const char *address(const struct distribution *d, bool plain, const char *where,
			   struct arena *a)
{
	const char *scheme = plain ? "http" : "https";

	if (d->index)
		return arena_printf(a, "%s://%s/v1/%s", scheme, d->host, where);
	return *where ? arena_printf(a, "%s://%s/v2/%s/%s", scheme, d->host, d->repository, where)
		      : arena_printf(a, "%s://%s/v2/", scheme, d->host);
}

int distribution_exchange(struct distribution *d, struct transfer *t, const char *where,
			  int *logins, struct arena *a, struct err *e)
{
	bool plain = is_plain(d), whole = strstr(where, "://");
	const char *base = address(d, plain, whole ? "" : where, a);
	struct origin registry, asked;
	int r = origin_parse(base, a, &registry, e);

	if (r < 0)
		return r;
	registry.insecure = d->insecure;
	t->ca_pem = d->ca_pem;
	t->stall_seconds = d->stall_seconds;
	t->url = whole ? where : base;
	r = follow(d, t, &registry, a, e);
	/* Registries on loopback rarely have certificates; nobody listens on the way there. */
	if (r < 0 && !plain && !whole && !t->local &&
	    ((t->tls_failed && registry.loopback) ||
	     (d->insecure && (t->tls_failed || t->unreachable)))) {
		set_plain(d);
		return distribution_exchange(d, t, where, logins, a, e);
	}
	/* A challenge is the registry's own to make, not of the host that it sent us to. */
	if (r < 0 || t->status != 401 || *logins >= 2 ||
	    origin_parse(t->url, a, &asked, NULL) < 0 || !origin_same(&registry, &asked))
		return r;
	++*logins;
	r = login_answer(d->login, base, t->challenge, t->authorization,
			 &(struct login_peer){.ca_pem = d->ca_pem,
					      .cert_pem = d->tls.cert_pem,
					      .key_pem = d->tls.key_pem,
					      .insecure = d->insecure,
					      .stall_seconds = d->stall_seconds},
			 e);
	if (r < 0) {
		t->again = false;
		return r;
	}
	return distribution_exchange(d, t, where, logins, a, e);
}

const char *distribution_name(const struct distribution *d)
{
	return d->name;
}

int distribution_refused(const struct distribution *d, const char *what, long status, struct err *e)
{
	switch (status) {
	case 401:
		return err_set(e, ERR_DENIED, "registry '%s' refuses %s: %s", d->name, what,
			       d->credentials.user || d->credentials.identity
				   ? "wrong user or password"
				   : "login is needed, or there is no such "
				     "repository");
	case 403:
		return err_set(e, ERR_DENIED, "registry '%s' denies %s", d->name, what);
	case 404:
		return err_set(e, ERR_NOT_FOUND, "registry '%s' has no %s", d->name, what);
	default:
		return err_set(e, ERR_SYSTEM, "registry '%s' answers %s with status %ld", d->name,
			       what, status);
	}
}

bool distribution_passing(long status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

/* Twice as long each time, with jitter, or as long as the registry says, within reason. */
void distribution_pause(int fruitless, long asked)
{
	unsigned int salt = 0;
	int64_t ms = 250ll << fruitless;
	struct timespec ts;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		salt = 0;
	ms += salt % (unsigned int)(ms / 2);
	if (asked > 0)
		ms = (asked > WAIT_MAX_SECONDS ? WAIT_MAX_SECONDS : asked) * 1000;
	ts = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&ts, NULL);
}

/* complete(): nothing more is to come although the answer may have ended early. */
static int get_run(struct get *g, bool (*complete)(const struct get *g), struct err *e)
{
	int fruitless = 0, r = 0;

	for (int n = 0; n < ATTEMPTS_MAX; n++) {
		struct hop h = {.g = g, .t = {.accept = g->accept, .from = g->got, .body = ranged}};
		struct err why = ERR_INIT;
		uint64_t before = g->got;
		bool whole;

		h.t.arg = &h;
		r = distribution_exchange(g->d, &h.t, g->path, &g->logins, &g->arena, &why);
		g->media_type = h.t.media_type;
		g->link = h.t.link;
		g->status = h.t.status;
		/* 416: everything was there already when the connection broke. */
		if (r >= 0 && h.t.status / 100 != 2 && !(h.t.status == 416 && complete(g)))
			r = distribution_refused(g->d, g->what, h.t.status, &why);
		else if (r < 0 && !h.t.local)
			err_wrap(&why, r, "registry '%s': %s", g->d->name, g->what);
		if (r >= 0 && complete(g))
			return 0;
		fruitless = g->got > before ? 0 : fruitless + 1;
		whole = r >= 0;
		if (r >= 0) /* a whole answer, too short; more of it may come by asking again */
			r = err_set(&why, ERR_CORRUPT, "registry '%s': %s ended after %llu bytes",
				    g->d->name, g->what, (unsigned long long)g->got);
		else if (h.t.local || !(h.t.again || distribution_passing(h.t.status)))
			n = ATTEMPTS_MAX;
		if (n >= ATTEMPTS_MAX - 1 ||
		    fruitless >= (g->d->mirror ? FRUITLESS_MIRROR : FRUITLESS_MAX) ||
		    (whole && fruitless > 1) || (h.t.stalled && fruitless > 1)) {
			if (e)
				*e = why;
			return r;
		}
		distribution_pause(fruitless, h.t.retry_after);
	}
	return r;
}

/* ---- documents ---- */

static int to_buf(void *arg, const void *data, size_t len, struct err *e)
{
	struct buf *b = arg;

	buf_add(b, data, len);
	return buf_fail(b, "what the registry answers", e);
}

static int ignore(void *arg, const void *data, size_t len, struct err *e)
{
	return 0;
}

static bool any_end(const struct get *g)
{
	return true;
}

int distribution_document(struct distribution *d, const char *path, const char *accept,
			  const char *what, struct buf *out, struct distribution_answer *got,
			  struct arena *a, struct err *e)
{
	struct get g = {
	    .d = d, .path = path, .accept = accept, .what = what, .body = to_buf, .arg = out};
	int r = get_run(&g, any_end, e);

	*got = (struct distribution_answer){.status = g.status,
					    .media_type =
						g.media_type ? arena_dup(a, g.media_type) : NULL,
					    .link = g.link ? arena_dup(a, g.link) : NULL};
	arena_free(&g.arena);
	return r;
}

static int remote_manifest(struct source *s, const char *ref, struct buf *out,
			   const char **media_type, struct arena *a, struct err *e)
{
	struct distribution *d = (struct distribution *)s;
	struct get g = {.d = d, .accept = DISTRIBUTION_ACCEPT, .body = to_buf, .arg = out};
	int r;

	ref = ref ? ref : "latest";
	g.path = arena_printf(&g.arena, "manifests/%s", ref);
	g.what = digest_valid(ref)
		     ? arena_printf(&g.arena, "manifest %.19s of '%s'", ref, d->repository)
		     : arena_printf(&g.arena, "image '%s:%s'", d->repository, ref);
	r = get_run(&g, any_end, e);
	if (r >= 0)
		*media_type = g.media_type ? arena_dup(a, g.media_type) : NULL;
	arena_free(&g.arena);
	return r;
}

/* ---- blobs ---- */

static int to_sink(void *arg, const void *data, size_t len, struct err *e)
{
	return blob_sink_write(arg, data, len, e);
}

static bool sink_full(const struct get *g)
{
	return blob_sink_got(g->arg) == blob_sink_size(g->arg);
}

static int remote_blob(struct source *s, const char *digest, struct blob_sink *sink, struct err *e)
{
	struct get g = {.d = (struct distribution *)s, .body = to_sink, .arg = sink};
	int r;

	g.got = blob_sink_got(sink); /* of another mirror */
	g.path = arena_printf(&g.arena, "blobs/%s", digest);
	g.what = arena_printf(&g.arena, "blob %.19s", digest);
	r = get_run(&g, sink_full, e);
	arena_free(&g.arena);
	return r;
}

static int remote_list(struct source *s, struct arena *a, struct fetch_list *out, struct err *e)
{
	return repository_tags((struct distribution *)s, a, out, e);
}

static int remote_referrers(struct source *s, const char *digest, const char *artifact_type,
			    struct buf *out, struct err *e)
{
	return repository_referrers((struct distribution *)s, digest, artifact_type, out, e);
}

static int remote_search(struct source *s, const char *term, uint64_t limit, struct buf *out,
			 struct err *e)
{
	return repository_search((struct distribution *)s, term, limit, out, e);
}

static int remote_remove(struct source *s, const char *ref, struct arena *a, const char **removed,
			 struct err *e)
{
	return repository_remove((struct distribution *)s, ref, a, removed, e);
}

static void remote_close(struct source *s)
{
	struct distribution *d = (struct distribution *)s;

	login_free(d->login);
	arena_free(&d->arena);
	free(d);
}

/* ---- opening ---- */

/* What the token must allow.  Source: the distribution project's token scope documentation. */
static struct strs scopes(struct distribution *d, const struct distribution_opts *o)
{
	struct strs l = {0};

	if (!d->repository)
		return l;
	arena_strs_add(&d->arena, &l,
		       arena_printf(&d->arena, "repository:%s:pull%s", d->repository,
				    o->remove ? ",push,delete"
				    : o->push ? ",push"
					      : ""));
	for (size_t i = 0; i < o->from.n; i++)
		arena_strs_add(&d->arena, &l,
			       arena_printf(&d->arena, "repository:%s:pull", o->from.v[i]));
	return l;
}

/* Now, since they may be where only the user can read. */
static int read_certificates(struct distribution *d, const struct distribution_opts *o,
			     struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n;

	d->tls = o->tls;
	d->ca_pem = o->tls.ca_pem;
	if (!o->ca_file)
		return 0;
	n = file_read(AT_FDCWD, o->ca_file, CERTIFICATES_MAX, &text);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", o->ca_file);
	}
	d->ca_pem = arena_printf(&d->arena, "%s\n%s", text, d->ca_pem ? d->ca_pem : "");
	return 0;
}

static int read_credentials(struct distribution *d, const struct distribution_opts *o,
			    struct err *e)
{
	struct credentials_opts c = {.host = o->host,
				     .home = o->home,
				     .docker_config = o->docker_config,
				     .file = o->credentials,
				     .environ = o->environ};

	return d->repository || d->index ? credentials_read(&c, &d->arena, &d->credentials, e) : 0;
}

static int remote_login(struct source *s, const char *user, const char *secret, struct err *e)
{
	struct distribution *d = (struct distribution *)s;
	struct get g = {.d = d, .path = "", .what = "the login"};
	int r;

	d->credentials.user = arena_dup(&d->arena, user);
	d->credentials.password = arena_dup(&d->arena, secret);
	login_free(d->login);
	d->login = login_new(
	    &(struct login_opts){.user = d->credentials.user, .password = d->credentials.password});
	g.body = ignore;
	r = get_run(&g, any_end, e);
	arena_free(&g.arena);
	return r;
}

static int remote_push_blob(struct source *s, const struct source_push *p, struct err *e)
{
	return upload_blob((struct distribution *)s, p, e);
}

static int remote_have_blob(struct source *s, const struct source_push *p, struct err *e)
{
	return upload_have((struct distribution *)s, p, e);
}

static int remote_push_manifest(struct source *s, const struct source_push *p, struct err *e)
{
	return upload_manifest((struct distribution *)s, p, e);
}

int distribution_open(const struct distribution_opts *o, struct source **out, struct err *e)
{
	static const struct source_ops ops = {.list = remote_list,
					      .manifest = remote_manifest,
					      .blob = remote_blob,
					      .close = remote_close,
					      .referrers = remote_referrers};
	static const struct source_ops remove_ops = {.close = remote_close,
						     .remove = remote_remove};
	static const struct source_ops push_ops = {.close = remote_close,
						   .push_blob = remote_push_blob,
						   .have_blob = remote_have_blob,
						   .push_manifest = remote_push_manifest,
						   .referrers = remote_referrers};
	static const struct source_ops login_ops = {.close = remote_close, .login = remote_login};
	static const struct source_ops search_ops = {.close = remote_close,
						     .search = remote_search};
	struct distribution *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		abort();
	curl_global_init(CURL_GLOBAL_DEFAULT);
	d->index = o->search;
	d->source.ops = o->search	 ? &search_ops
			: !o->repository ? &login_ops
			: o->remove	 ? &remove_ops
			: o->push	 ? &push_ops
					 : &ops;
	d->name = arena_dup(&d->arena, o->host);
	d->host = !streq(d->name, "docker.io") ? d->name
		  : o->search		       ? "index.docker.io"
					       : "registry-1.docker.io";
	d->repository = o->repository ? arena_dup(&d->arena, o->repository) : NULL;
	d->stall_seconds = o->stall_seconds;
	d->insecure = o->insecure;
	d->mirror = o->mirror;
	pthread_mutex_init(&d->lock, NULL);
	r = read_certificates(d, o, e);
	if (r >= 0)
		r = read_credentials(d, o, e);
	if (r < 0) {
		arena_free(&d->arena);
		free(d);
		return r;
	}
	d->login = login_new(&(struct login_opts){.user = d->credentials.user,
						  .password = d->credentials.password,
						  .identity = d->credentials.identity,
						  .scopes = scopes(d, o),
						  .insist = o->push || o->remove});
	*out = &d->source;
	return 0;
}
