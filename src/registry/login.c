/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/login.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"
#include "fmt/www_authenticate.h"
#include "registry/origin.h"
#include "registry/transfer.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <strings.h>

#define TOKEN_ANSWER_MAX (1u << 20)
#define TOKEN_MAX	 65536

struct login {
	const char *user, *password, *identity;
	struct strs scopes;
	bool insist;
	pthread_mutex_t lock; /* over header */
	char *header;
};

struct login *login_new(const struct login_opts *o)
{
	struct login *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	*l = (struct login){.user = o->user,
			    .password = o->password,
			    .identity = o->identity,
			    .scopes = o->scopes,
			    .insist = o->insist};
	pthread_mutex_init(&l->lock, NULL);
	return l;
}

void login_free(struct login *l)
{
	free(l->header);
	free(l);
}

const char *login_header(struct login *l, struct arena *a)
{
	const char *h;

	pthread_mutex_lock(&l->lock);
	h = l->header ? arena_dup(a, l->header) : NULL;
	pthread_mutex_unlock(&l->lock);
	return h;
}

static const char *basic(const struct login *l, struct arena *a)
{
	const char *plain = arena_printf(a, "%s:%s", l->user, l->password);
	size_t n = strlen(plain);
	unsigned char *out = arena_alloc(a, (n + 2) / 3 * 4 + 1);

	EVP_EncodeBlock(out, (const unsigned char *)plain, (int)n);
	return arena_printf(a, "Basic %s", (const char *)out);
}

static int to_buf(void *arg, const void *data, size_t len, struct err *e)
{
	struct buf *b = arg;

	buf_add(b, data, len);
	return buf_fail(b, "the token server's answer", e);
}

static const char *escape(const char *s, struct arena *a)
{
	char *v = curl_easy_escape(NULL, s, 0);
	const char *out = arena_dup(a, v ? v : "");

	curl_free(v);
	return out;
}

static const char *token_url(const struct login *l, const struct www_authenticate *c,
			     struct arena *a)
{
	auto_buf struct buf q = BUF_INIT(1 << 20);

	if (c->service)
		buf_printf(&q, "&service=%s", escape(c->service, a));
	if (c->scope && !(l->insist && l->scopes.n))
		buf_printf(&q, "&scope=%s", escape(c->scope, a));
	else
		for (size_t i = 0; i < l->scopes.n; i++)
			buf_printf(&q, "&scope=%s", escape(l->scopes.v[i], a));
	if (!q.len)
		return c->realm;
	return arena_printf(a, "%s%s%s", c->realm, strchr(c->realm, '?') ? "&" : "?", q.p + 1);
}

/* Printable ASCII without blanks: a token must not smuggle header lines. */
static bool token_ok(const char *t)
{
	size_t n = 0;

	if (!t)
		return false;
	for (; t[n]; n++)
		if (t[n] <= 0x20 || t[n] >= 0x7f || n > TOKEN_MAX)
			return false;
	return n > 0;
}

static int parse_token(const struct buf *text, struct arena *a, const char **out, struct err *e)
{
	auto_json struct json *j = NULL;
	int r = json_parse(text->p, text->len, "the token server's answer", &j, e);
	const char *t;

	if (r < 0)
		return r;
	t = json_string(json_member(j, "token"));
	t = t ? t : json_string(json_member(j, "access_token"));
	if (!token_ok(t))
		return err_set(e, ERR_CORRUPT, "the token server's answer has no token");
	*out = arena_printf(a, "Bearer %s", t);
	return 0;
}

struct ask {
	const char *url;
	const struct login_peer *peer;
};

/* The same for POST (OAuth2): scopes in one parameter, and what proves who asks. */
static const char *token_form(const struct login *l, const struct www_authenticate *c,
			      struct arena *a)
{
	auto_buf struct buf q = BUF_INIT(1 << 20);
	const char *scope = c->scope && !(l->insist && l->scopes.n) ? c->scope : NULL;

	if (l->identity)
		buf_printf(&q, "grant_type=refresh_token&refresh_token=%s", escape(l->identity, a));
	else
		buf_printf(&q, "grant_type=password&username=%s&password=%s", escape(l->user, a),
			   escape(l->password, a));
	buf_puts(&q, "&client_id=caisson");
	if (c->service)
		buf_printf(&q, "&service=%s", escape(c->service, a));
	if (scope || l->scopes.n)
		buf_puts(&q, "&scope=");
	if (scope)
		buf_puts(&q, escape(scope, a));
	for (size_t i = 0; !scope && i < l->scopes.n; i++)
		buf_printf(&q, "%s%s", i ? "%20" : "", escape(l->scopes.v[i], a));
	return arena_dup(a, q.p);
}

static int ask_token(const struct login *l, const struct www_authenticate *c, struct transfer *t,
		     bool trusted, struct arena *a, struct err *e)
{
	int r;

	t->url = token_url(l, c, a);
	if (trusted && l->identity) {
		t->method = "POST";
		t->url = c->realm;
		t->form = token_form(l, c, a);
	} else if (trusted && l->user) {
		t->authorization = basic(l, a);
	}
	r = transfer_run(t, a, e);
	/* Some know only the newer way. */
	if (r >= 0 && (t->status == 404 || t->status == 405) && trusted && l->user && !t->method) {
		t->method = "POST";
		t->url = c->realm;
		t->authorization = NULL;
		t->form = token_form(l, c, a);
		r = transfer_run(t, a, e);
	}
	return r;
}

static int bearer(const struct login *l, const struct www_authenticate *c, const struct ask *ask,
		  struct arena *a, const char **out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(TOKEN_ANSWER_MAX);
	const struct login_peer *p = ask->peer;
	struct transfer t = {
	    .ca_pem = p->ca_pem, .stall_seconds = p->stall_seconds, .body = to_buf, .arg = &text};
	bool known = l->user || l->identity, trusted;
	struct origin registry, realm;
	int r = origin_parse(ask->url, a, &registry, e);

	if (r >= 0)
		r = origin_parse(c->realm, a, &realm, e);
	registry.insecure = p->insecure;
	if (r >= 0)
		r = origin_check(&registry, &realm, e);
	if (r < 0)
		return err_wrap(e, r, "token server of '%.100s'", registry.host);
	trusted = origin_trusts(&registry, &realm);
	if (origin_same(&registry, &realm)) {
		t.cert_pem = p->cert_pem;
		t.key_pem = p->key_pem;
	}
	t.insecure = p->insecure && strcasecmp(registry.host, realm.host) == 0;
	r = ask_token(l, c, &t, trusted, a, e);
	if (r < 0)
		return err_wrap(e, r, "token server '%.100s'", realm.host);
	if (t.status == 401 || t.status == 403)
		return known && !trusted
			   ? err_set(e, ERR_DENIED,
				     "'%.80s' sends its users to '%.80s', which does not get the "
				     "password for it",
				     registry.host, realm.host)
			   : err_set(e, ERR_DENIED, "registry '%.100s' refuses: %s", registry.host,
				     known ? "wrong user or password" : "login is needed");
	/* Redirects are not followed here: a password was sent, and a token comes back. */
	if (t.status != 200)
		return err_set(e, ERR_SYSTEM, "token server '%.100s' answers with status %ld",
			       realm.host, t.status);
	return parse_token(&text, a, out, e);
}

static int new_header(const struct login *l, const struct www_authenticate *c,
		      const struct ask *ask, struct arena *a, const char **out, struct err *e)
{
	if (c->scheme == WWW_BEARER)
		return bearer(l, c, ask, a, out, e);
	if (c->scheme == WWW_BASIC && l->user) {
		*out = basic(l, a);
		return 0;
	}
	return err_set(e, ERR_DENIED,
		       c->scheme == WWW_BASIC ? "the registry wants a login"
					      : "the registry wants a login of an unknown kind");
}

int login_answer(struct login *l, const char *url, const char *challenge, const char *sent,
		 const struct login_peer *peer, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct ask ask = {url, peer};
	struct www_authenticate c = {0};
	const char *header = NULL;
	int r = challenge ? www_authenticate_parse(challenge, &a, &c, e) : 0;

	if (r < 0)
		return r;
	pthread_mutex_lock(&l->lock);
	/* Another thread may have been refused and have got a token meanwhile. */
	if (!l->header || (sent && streq(sent, l->header))) {
		r = new_header(l, &c, &ask, &a, &header, e);
		if (r >= 0) {
			free(l->header);
			l->header = strdup(header);
			if (!l->header)
				abort();
		}
	}
	pthread_mutex_unlock(&l->lock);
	return r;
}
