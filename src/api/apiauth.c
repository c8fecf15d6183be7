/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apiauth.h"
#include "api/apicall.h"
#include "api/apiread.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/registry_login.h"
#include "engine/session.h"
#include "fmt/base64.h"
#include "fmt/docker_config.h"
#include "fmt/json.h"
#include "fmt/reference.h"

#include <string.h>

struct auth {
	const char *user, *password, *auth, *email, *server, *identity, *token;
};
#define A(member, key) JB(struct auth, member, key, JBIND_STR)
static const struct jbind_field auth_fields[] = {A(user, "username"),
						 A(password, "password"),
						 A(auth, "auth"),
						 A(email, "email"),
						 A(server, "serveraddress"),
						 A(identity, "identitytoken"),
						 A(token, "registrytoken"),
						 JB_END};
#undef A
const struct jbind apiauth_table = {sizeof(struct auth), auth_fields, false};

static bool said(const char *s)
{
	return s && *s;
}

/* "user:password" of .auth where they are not said apart. */
static int complete(struct auth *x, struct arena *a, struct err *e)
{
	const char *plain, *colon;

	if (said(x->user) || !said(x->auth))
		return 0;
	plain = base64_decode(x->auth, a);
	colon = plain ? strchr(plain, ':') : NULL;
	if (!colon)
		return err_set(e, ERR_USAGE, "auth is not the base64 of USER:PASSWORD");
	x->user = arena_dupn(a, plain, (size_t)(colon - plain));
	x->password = colon + 1;
	return 0;
}

/* A header's JSON in the alphabet for URLs, padded or not.  NULL: malformed. */
static const char *header_text(const char *s, struct arena *a)
{
	size_t n = strlen(s), pad = (4 - n % 4) % 4;
	char *std = arena_printf(a, "%s%.*s", s, (int)pad, "===");

	for (char *at = std; *at; at++)
		*at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
	return base64_decode(std, a);
}

static int hand_over(struct apicall *c, const struct buf *config, struct err *e)
{
	int r = buf_fail(config, "credentials", e);

	return r < 0 ? r : session_credentials(c->s, config, e);
}

static int add(const struct auth *x, const char *host, const char *old, size_t len, struct buf *out,
	       struct err *e)
{
	struct docker_config entry = {.user = x->user, .password = x->password ? x->password : ""};
	int r;

	if (said(x->token) || said(x->identity))
		return err_set(e, ERR_UNSUPPORTED,
			       "identity and registry tokens of a request are not taken: a user "
			       "and password are");
	r = docker_config_edit(old, len, host, &entry, out, e);
	return r < 0 ? r : 0;
}

int apiauth_take(struct apicall *c, const char *image, struct err *e)
{
	const char *header = http_request_field(&c->x->request, "X-Registry-Auth"), *text, *host;
	auto_buf struct buf config = BUF_INIT(DOCKER_CONFIG_MAX);
	struct auth x = {0};
	struct reference ref;
	int r;

	if (!said(header))
		return 0;
	text = header_text(header, c->a);
	if (!text ||
	    jbind_parse(&apiauth_table, text, strlen(text), &x, c->a, "X-Registry-Auth", NULL) < 0)
		return err_set(e, ERR_USAGE, "X-Registry-Auth is malformed");
	r = complete(&x, c->a, e);
	if (r == 0 && !said(x.user) && !said(x.identity) && !said(x.token))
		return 0;
	if (r == 0)
		r = reference_parse(image, c->a, &ref, e);
	if (r == 0 && said(x.server)) {
		r = registry_login_host(x.server, c->a, &host, e);
		/* A password goes to the registry that it is for, and to no other. */
		if (r == 0 && !streq(host, ref.domain))
			return err_set(e, ERR_USAGE,
				       "X-Registry-Auth is for '%.80s', and the image is of "
				       "'%.80s'",
				       host, ref.domain);
	}
	if (r == 0)
		r = add(&x, ref.domain, NULL, 0, &config, e);
	return r < 0 ? r : hand_over(c, &config, e);
}

struct config_walk {
	struct apicall *c;
	struct buf *config;
	struct err *e;
};

static int one_registry(const char *key, struct json *v, void *arg)
{
	struct config_walk *w = arg;
	auto_buf struct buf next = BUF_INIT(DOCKER_CONFIG_MAX);
	const char *host;
	struct auth x = {0};
	int r = apiread_table(&apiauth_table, v, &x, w->c->a, "X-Registry-Config.", w->e);

	if (r == 0)
		r = complete(&x, w->c->a, w->e);
	if (r < 0 || !said(x.user))
		return r;
	r = registry_login_host(key, w->c->a, &host, w->e);
	if (r == 0)
		r = add(&x, host, w->config->len ? w->config->p : NULL, w->config->len, &next,
			w->e);
	if (r < 0)
		return r;
	w->config->len = 0;
	buf_add(w->config, next.p, next.len);
	return 0;
}

int apiauth_take_all(struct apicall *c, struct err *e)
{
	const char *header = http_request_field(&c->x->request, "X-Registry-Config"), *text;
	auto_buf struct buf config = BUF_INIT(DOCKER_CONFIG_MAX);
	struct config_walk w = {c, &config, e};
	auto_json struct json *j = NULL;
	int r;

	if (!said(header))
		return 0;
	text = header_text(header, c->a);
	if (!text || json_parse(text, strlen(text), "X-Registry-Config", &j, NULL) < 0 ||
	    (j && !json_is_object(j)))
		return err_set(e, ERR_USAGE, "X-Registry-Config is malformed");
	r = j ? json_each(j, one_registry, &w) : 0;
	return r < 0 || !config.len ? r : hand_over(c, &config, e);
}

/* POST /auth: a client asks whether they are good, and keeps them itself. */
int apiauth_check(struct apicall *c, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX), b = BUF_INIT(4096);
	struct registry_login l = {0};
	struct auth x = {0};
	int r = apicall_body(c, &body, e);

	if (r == 0)
		r = apiread_body(&apiauth_table, body.p, body.len, &x, c->a, e);
	if (r == 0)
		r = complete(&x, c->a, e);
	if (r == 0 && (said(x.identity) || said(x.token)))
		return err_set(e, ERR_UNSUPPORTED, "tokens are not taken: a user and password are");
	if (r == 0 && !said(x.user))
		return err_set(e, ERR_USAGE, "the body names no user (username)");
	if (r == 0)
		r = registry_login_host(said(x.server) ? x.server : NULL, c->a, &l.host, e);
	l.user = x.user;
	l.secret = x.password ? x.password : "";
	if (r == 0)
		r = registry_login_check(c->s, &l, e);
	/* Clients ask again at 401, and give up at anything else. */
	if (r < 0 && e && e->kind == ERR_DENIED) {
		const char *why = arena_dup(c->a, e->msg);

		return apicall_refuse(c, 401, why, e);
	}
	if (r < 0)
		return r;
	buf_puts(&b, "{\"IdentityToken\":\"\",\"Status\":\"Login Succeeded\"}\n");
	return apicall_json(c, 200, &b, e);
}
