/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "api/apicall.h"
#include "api/apiroute.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "fmt/passwd.h"
#include "httpd/httpd.h"
#include "sys/file.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP_FILE_MAX (4u << 20)
#define CONNECTIONS    1000 /* a process each; followers of events and logs count */

struct api {
	struct session *s;
	const struct api_opts *o;
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
	if (!is_local(&x->request))
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

/* ---- the socket ---- */

/* A socket that nobody listens on any more is replaced; a file that is none is not ours. */
static int clear_place(int dir, const char *name, const char *listen, struct err *e)
{
	struct stat st;
	auto_fd int fd = -1;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_EXISTS, "%.200s is there and no socket", listen);
	fd = sock_connect(dir, name);
	if (fd >= 0)
		return err_set(e, ERR_EXISTS, "somebody listens on %.200s already", listen);
	return unlinkat(dir, name, 0) < 0 ? err_sys(e, "%.200s", listen) : 0;
}

static int give_group(int dir, const char *name, const char *group, struct err *e)
{
	auto_free char *text = NULL;
	uint32_t gid = 0;

	if (!group)
		return 0;
	/* The program is static: of the system's name services it has the files. */
	if (!passwd_id(group, strlen(group), &gid) &&
	    (file_read(AT_FDCWD, "/etc/group", GROUP_FILE_MAX, &text) < 0 ||
	     !passwd_find_group(text, group, &gid)))
		return err_set(e, ERR_USAGE, "--group: there is no group '%.60s'", group);
	if (fchownat(dir, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir, name, 0660, 0) < 0)
		return err_sys(e, "--group '%.60s'", group);
	return 0;
}

struct place {
	int dir;
	const char *name;
};

static int open_place(const char *listen, struct arena *a, struct place *out, struct err *e)
{
	const char *path = str_after(listen, "unix://"), *slash = path ? strrchr(path, '/') : NULL;

	if (str_after(listen, "tcp://"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--listen %.80s: without TLS client certificates, which are not "
			       "there yet, whoever reaches the port would be root: use unix://",
			       listen);
	if (!path || *path != '/' || !slash[1])
		return err_set(e, ERR_USAGE, "--listen wants unix:///PATH, not '%.80s'", listen);
	out->name = slash + 1;
	out->dir = open(slash == path ? "/" : arena_dupn(a, path, (size_t)(slash - path)),
			O_PATH | O_DIRECTORY | O_CLOEXEC);
	return out->dir < 0 ? err_sys(e, "--listen %.200s", listen) : 0;
}

static void ready(void *arg)
{
	const struct api *api = arg;

	if (api->o->ready)
		api->o->ready(api->o->listen, api->o->arg);
}

int api_run(struct session *s, const struct api_opts *o, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct place p = {-1, NULL};
	struct api api = {.s = s, .o = o};
	auto_fd int dir = -1, fd = -1;
	struct httpd_opts h = {.listen = &fd,
			       .nlisten = 1,
			       .handle = handle,
			       .fail = fail,
			       .ready = ready,
			       .arg = &api,
			       .connections_max = CONNECTIONS,
			       .leave_seconds = o->leave_seconds};
	int r = open_place(o->listen, &a, &p, e);

	dir = p.dir;
	if (r == 0)
		r = clear_place(dir, p.name, o->listen, e);
	if (r < 0)
		return r;
	fd = sock_listen(dir, p.name, 0600);
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "--listen %.200s", o->listen);
	}
	r = give_group(dir, p.name, o->group, e);
	if (r == 0)
		r = httpd_run(&h, e);
	unlinkat(dir, p.name, 0);
	return r;
}

void api_routes(struct buf *out)
{
	buf_puts(out, "| method | path | parameters | |\n|---|---|---|---|\n");
	for (const struct apiroute *r = apiroute_table; r->method; r++)
		buf_printf(out, "| %s | `%s` | %s | %s |\n", r->method, r->path, r->query, r->what);
}
