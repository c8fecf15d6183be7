/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "api/apianswer.h"
#include "api/apilisten.h"
#include "api/apiroute.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/session.h"
#include "httpd/exchange.h"
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

/* ---- one request ---- */

static int handle(struct exchange *x, void *arg, struct err *e)
{
	const struct api *api = arg;

	if (api->is_stranger) {
		x->request.keep_alive = false;
		return apianswer_refuse(x, 403, api->stranger.msg, e);
	}
	/* With a certificate it is no web page that asks through a name of its own, and the server
	 * has whatever name the certificate says. */
	if (api->listen.tls ? http_request_field(&x->request, "Origin") != NULL
			    : !is_local(&x->request))
		return apianswer_refuse(x, 403, "requests of web pages are refused (Host, Origin)",
					e);
	return apianswer(api->s, x, x->request.path, api->o->log, e);
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
			       .fail = apianswer_fail,
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
