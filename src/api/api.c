/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "api/apicall.h"
#include "api/apilisten.h"
#include "api/apiroute.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "httpd/httpd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS	1000 /* a process each; followers of events and logs count */
#define CONNECTIONS_TLS 200  /* two processes each, and strangers may make them */

struct api {
	struct session *s;
	const struct api_opts *o;
	struct apilisten listen;
	/* of one connection */
	bool is_stranger;
	struct err stranger;
};

/* ---- what is refused before it is looked at ---- */

/* Clients on a unix socket have no name for it; docker's say "docker", "api.moby.localhost" or the
 * path, python's "localhost".  A browser, through a proxy onto the socket, says a domain. */
static bool is_local(const struct http_request *r)
{
	static const char *const names[] = {
	    "", "docker", "localhost", "caisson", "api.moby.localhost", "127.0.0.1"};
	const char *host = r->host ? r->host : "";
	size_t n = strcspn(host, ":");

	if (http_request_field(r, "Origin"))
		return false;
	if (*host == '/' || str_after(host, "%2F") || str_after(host, "%2f"))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i]) == n && strncmp(names[i], host, n) == 0)
			return true;
	return false;
}

/* No segment that a proxy in front might resolve otherwise than we. */
static bool is_plain(const char *raw, const char *path)
{
	if (strstr(raw, "%2f") || strstr(raw, "%2F") || strchr(path, '\\'))
		return false;
	for (const char *p = path; *p; p += strcspn(p, "/")) {
		size_t n = strcspn(++p, "/");

		if ((!n && p[-1] && *p) || (n == 1 && *p == '.') ||
		    (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
	}
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

/* "/v1.43/info" becomes "/info".  ERR_USAGE with docker's words. */
static int strip_version(const char **path, unsigned int *asked, struct err *e)
{
	const char *p = str_after(*path, "/v");
	unsigned long major, minor;
	char *end;

	if (!p || *p < '0' || *p > '9')
		return 0;
	major = strtoul(p, &end, 10);
	if (*end != '.' || end[1] < '0' || end[1] > '9')
		return 0;
	minor = strtoul(end + 1, &end, 10);
	if (*end != '/')
		return 0;
	if (major < 1 || (major == 1 && minor < 24))
		return err_set(e, ERR_USAGE,
			       "client version %lu.%lu is too old. Minimum supported API version "
			       "is " APICALL_VERSION_MIN ", please upgrade your client to a newer "
			       "version",
			       major, minor);
	if (major > 1 || minor > 47)
		return err_set(e, ERR_USAGE,
			       "client version %lu.%lu is too new. Maximum supported API version "
			       "is " APICALL_VERSION,
			       major, minor);
	*path = end;
	*asked = (unsigned int)minor;
	return 0;
}

static bool listed(const char *list, const char *name, size_t n)
{
	while (*list) {
		size_t len = strcspn(list, " ");

		if (len == n && strncmp(list, name, n) == 0)
			return true;
		list += len + strspn(list + len, " ");
	}
	return false;
}

/* A parameter that is not in the table and says something is not ignored. */
static int check_query(struct apicall *c, struct err *e)
{
	const char *q = c->x->request.query;

	for (size_t n; *q; q += n + (q[n] == '&')) {
		size_t name = strcspn(q, "=&");

		n = strcspn(q, "&");
		if (!name || listed(c->route->query, q, name) ||
		    !apicall_yes(c, arena_dupn(c->a, q, name)))
			continue;
		return err_set(e, ERR_UNSUPPORTED, "%s %s: parameter '%.*s' is not known here",
			       c->route->method, c->route->path, (int)(name > 40 ? 40 : name), q);
	}
	return 0;
}

/* ---- one request ---- */

static void head(struct exchange *x)
{
	exchange_field(x, "Api-Version", APICALL_VERSION);
	exchange_field(x, "Docker-Experimental", "false");
	exchange_field(x, "Ostype", "linux");
	exchange_field(x, "Server", "Caisson/" CAISSON_VERSION " (linux)");
}

static int dispatch(struct apicall *c, const char *path, struct err *e)
{
	bool other = false;
	int r = strip_version(&path, &c->minor, e);

	if (r < 0)
		return r;
	c->route = apiroute_find(c->x->request.method, path, c->a, &c->id, &other);
	if (!c->route)
		return other ? apicall_refuse(c, 405, "method not allowed", e)
			     : apicall_refuse(c, 404, "page not found", e);
	r = check_query(c, e);
	return r < 0 ? r : c->route->run(c, e);
}

static int handle(struct exchange *x, void *arg, struct err *e)
{
	const struct api *api = arg;
	struct apicall c = {.s = api->s, .x = x, .a = &x->arena, .minor = 47, .log = api->o->log};
	const char *raw = x->request.path;
	const char *path = http_request_decode(raw, strlen(raw), false, &x->arena);
	int r;

	head(x);
	if (!api->s->lookups)
		api->s->lookups = lookup_cache_new();
	if (api->is_stranger) {
		x->request.keep_alive = false;
		return apicall_refuse(&c, 403, api->stranger.msg, e);
	}
	/* With a certificate it is no web page that asks through a name of its own, and the server
	 * has whatever name the certificate says. */
	if (api->listen.tls ? http_request_field(&x->request, "Origin") != NULL
			    : !is_local(&x->request))
		return apicall_refuse(&c, 403, "requests of web pages are refused (Host, Origin)",
				      e);
	if (!path || !is_plain(raw, path))
		return apicall_refuse(&c, 400, "the path is malformed", e);
	r = dispatch(&c, path, e);
	/* What the next request of this connection asks is not asked with this one's password. */
	session_credentials(c.s, NULL, NULL);
	if (api->o->log)
		fprintf(stderr, "%s %s %d\n", x->request.method, c.route ? c.route->path : "(none)",
			r < 0 && !exchange_begun(x) ? err_http_status(e) : x->status);
	return r;
}

static void fail(struct exchange *x, const struct err *why, void *arg)
{
	struct apicall c = {.x = x, .a = &x->arena};

	apicall_refuse(&c, err_http_status(why), why->msg, NULL);
}

/* ---- who is there ---- */

/* In the connection's own process: what is set here is for this connection. */
static int enter(int fd, void *arg, pid_t *relay)
{
	struct api *api = arg;

	if (api->listen.tls) {
		struct err e = ERR_INIT;
		int r = apilisten_tls(api->s, api->o, fd, relay, &e);

		if (r < 0)
			fprintf(stderr, "%s\n", e.msg);
		return r;
	}
	if (apilisten_peer(&api->listen, fd, &api->stranger) < 0) {
		api->is_stranger = true;
		fprintf(stderr, "%s\n", api->stranger.msg);
	}
	return fd;
}

static void ready(void *arg)
{
	const struct api *api = arg;

	for (size_t i = 0; api->o->ready && i < api->listen.n; i++)
		api->o->ready(api->listen.names[i], api->o->arg);
}

int api_run(struct session *s, const struct api_opts *o, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct api api = {.s = s, .o = o, .stranger = ERR_INIT};
	struct httpd_opts h = {.listen = api.listen.fds,
			       .handle = handle,
			       .fail = fail,
			       .enter = enter,
			       .ready = ready,
			       .arg = &api,
			       .leave_seconds = o->leave_seconds};
	int r = apilisten_open(s, o, &a, &api.listen, e);

	if (r < 0)
		return r;
	h.nlisten = api.listen.n;
	h.connections_max = api.listen.tls ? CONNECTIONS_TLS : CONNECTIONS;
	r = httpd_run(&h, e);
	apilisten_close(&api.listen);
	return r;
}

void api_routes(struct buf *out)
{
	buf_puts(out, "| method | path | parameters | |\n|---|---|---|---|\n");
	for (const struct apiroute *r = apiroute_table; r->method; r++)
		buf_printf(out, "| %s | `%s` | %s | %s |\n", r->method, r->path, r->query, r->what);
}
