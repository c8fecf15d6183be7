/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apianswer.h"
#include "api/apicall.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "httpd/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is refused before it is looked at ---- */

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

static void head(struct exchange *x)
{
	exchange_field(x, "Api-Version", APICALL_VERSION);
	exchange_field(x, "Docker-Experimental", "false");
	exchange_field(x, "Ostype", "linux");
	exchange_field(x, "Server", "Caisson/" CAISSON_VERSION " (linux)");
}

/* ---- the answer ---- */

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

int apianswer(struct session *s, struct exchange *x, const char *raw, bool log, struct err *e)
{
	struct apicall c = {.s = s, .x = x, .a = &x->arena, .minor = 47, .log = log};
	const char *path = http_request_decode(raw, strlen(raw), false, &x->arena);
	int r;

	head(x);
	if (!s->lookups)
		s->lookups = lookup_cache_new();
	if (!path || !is_plain(raw, path))
		return apicall_refuse(&c, 400, "the path is malformed", e);
	r = dispatch(&c, path, e);
	/* What the next request of this connection asks is not asked with this one's password. */
	session_credentials(s, NULL, NULL);
	if (log)
		fprintf(stderr, "%s %s %d\n", x->request.method, c.route ? c.route->path : "(none)",
			r < 0 && !exchange_begun(x) ? err_http_status(e) : x->status);
	return r;
}

int apianswer_refuse(struct exchange *x, int status, const char *why, struct err *e)
{
	struct apicall c = {.x = x, .a = &x->arena};

	head(x);
	return apicall_refuse(&c, status, why, e);
}

void apianswer_fail(struct exchange *x, const struct err *why, void *arg)
{
	struct apicall c = {.x = x, .a = &x->arena};

	apicall_refuse(&c, err_http_status(why), why->msg, NULL);
}
