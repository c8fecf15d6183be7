/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/registry_login.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "engine/session.h"
#include "fmt/credential_helper.h"
#include "fmt/docker_config.h"
#include "fmt/reference.h"
#include "store/store.h"
#include "sys/child.h"
#include "sys/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

/* config.json, opened to be changed. */
struct config {
	struct arena *a;
	const char *path, *name;
	int dir; /* locked */
	char *text;
	size_t len; /* text NULL: there is no file */
};

static void config_done(struct config *c)
{
	if (c->dir >= 0)
		close(c->dir);
	free(c->text);
}

static const char *variable(const struct session *s, const char *name)
{
	for (char **v = s->environment; v && *v; v++) {
		const char *value = str_after(*v, name);

		if (value && *value)
			return value;
	}
	return NULL;
}

int registry_login_host(const char *typed, struct arena *a, const char **host, struct err *e)
{
	const char *rest = typed ? typed : "docker.io", *after;
	struct reference ref;
	char *name;

	after = str_after(rest, "https://");
	rest = after ? after : rest;
	after = str_after(rest, "http://");
	rest = after ? after : rest;
	name = arena_dupn(a, rest, strcspn(rest, "/"));
	if (streq(name, "index.docker.io") || streq(name, "registry-1.docker.io"))
		name = arena_dup(a, "docker.io");
	/* What no image's name could begin with is no registry. */
	if (reference_parse(arena_printf(a, "%s/x/x", name), a, &ref, NULL) < 0 ||
	    !streq(ref.domain, name))
		return err_set(e, ERR_USAGE, "'%.100s' is not a registry's name", typed);
	*host = name;
	return 0;
}

/* ---- config.json ---- */

static int find_config(const struct session *s, struct config *c, struct err *e)
{
	const char *dir = variable(s, "DOCKER_CONFIG="), *home = variable(s, "HOME=");
	char full[PATH_MAX], *slash;

	if (!dir && !home)
		return err_set(e, ERR_USAGE, "neither $DOCKER_CONFIG nor $HOME is set");
	dir = dir ? dir : arena_printf(c->a, "%s/.docker", home);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "'%s'", dir);
	c->path = arena_printf(c->a, "%s/config.json", dir);
	/* Where it is a link (to a place for all of somebody's settings), what it leads to is
	 * replaced. */
	if (realpath(c->path, full)) {
		c->path = arena_dup(c->a, full);
		slash = strrchr(full, '/');
		dir = slash == full ? "/" : arena_dupn(c->a, full, (size_t)(slash - full));
	} else if (errno != ENOENT) {
		return err_sys(e, "'%s'", c->path);
	}
	c->name = strrchr(c->path, '/') + 1;
	c->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir < 0 || flock(c->dir, LOCK_EX) < 0)
		return err_sys(e, "'%s'", dir);
	return 0;
}

static int read_config(const struct session *s, struct config *c, struct err *e)
{
	int r = find_config(s, c, e);
	ssize_t n;

	if (r < 0)
		return r;
	n = file_read(c->dir, c->name, DOCKER_CONFIG_MAX, &c->text);
	if (n == -ENOENT)
		return 0;
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", c->path);
	}
	c->len = (size_t)n;
	if (n == 0) { /* as docker: an empty file is one that says nothing */
		free(c->text);
		c->text = NULL;
	}
	return 0;
}

/* Whether there was an entry. */
static int change_config(struct config *c, const char *host, const struct docker_config *entry,
			 struct err *e)
{
	auto_buf struct buf out = BUF_INIT(DOCKER_CONFIG_MAX);
	int had = docker_config_edit(c->text, c->len, host, entry, &out, e);

	if (had < 0)
		return err_wrap(e, had, "'%s'", c->path);
	if (!had && !entry->user)
		return 0;
	errno = -file_replace(c->dir, c->name, out.p, out.len, 0600, FILE_DURABLE);
	return errno ? err_sys(e, "'%s'", c->path) : had;
}

static int helper_of(const struct config *c, const char *host, const char **out, struct err *e)
{
	int r = c->text ? docker_config_helper(c->text, c->len, host, c->a, out, e) : 0;

	return r < 0 ? err_wrap(e, r, "'%s'", c->path) : 0;
}

/* ---- credential helpers ---- */

struct call {
	const char *helper, *verb, *in;
	size_t in_len;
};

static int call_helper(const struct session *s, const struct call *call, struct arena *a,
		       struct err *e)
{
	const char *program = credential_helper_program(call->helper, a);
	const char *argv[] = {program, call->verb, NULL};
	const char *const *environ = (const char *const *)s->environment;
	struct child_opts o = {.argv = argv, .env = credential_helper_env(environ, a)};
	struct child_talk t = {.in = call->in,
			       .in_len = call->in_len,
			       .max = CREDENTIAL_HELPER_MAX,
			       .ms = CREDENTIAL_HELPER_MS};
	auto_free char *text = NULL;
	char path[PATH_MAX];
	const char *why;
	int status = 0;
	ssize_t n;

	if (!program)
		return err_set(e, ERR_USAGE, "'%.60s' is not a credential helper's name",
			       call->helper);
	if (child_find(program, variable(s, "PATH="), path, sizeof(path)) < 0)
		return err_set(e, ERR_NOT_FOUND, "the credential helper '%s' is not installed",
			       program);
	o.path = path;
	n = child_talk(&o, &t, &text, &status);
	if (n == -ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT, "'%s %s' took more than %d s", program, call->verb,
			       CREDENTIAL_HELPER_MS / 1000);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s %s'", program, call->verb);
	}
	why = credential_helper_complaint(text, (size_t)n, a);
	if (status == 0 || (streq(call->verb, "erase") && strcasestr(why, "not found")))
		return 0;
	return err_set(e, ERR_SYSTEM, "'%s %s': %s", program, call->verb, why);
}

static int store_with(const struct session *s, const char *helper, const struct registry_login *l,
		      struct arena *a, struct err *e)
{
	auto_buf struct buf in = BUF_INIT(CREDENTIAL_HELPER_MAX);
	struct credential c = {l->user, l->secret};
	struct call call = {.helper = helper, .verb = "store"};

	credential_helper_print(docker_config_key(l->host), &c, &in);
	call.in = in.p;
	call.in_len = in.len;
	return call_helper(s, &call, a, e);
}

/* ---- the whole ---- */

static int verify(struct session *s, const struct registry_login *l, struct err *e)
{
	struct image_fetch_source src = {
	    .transport = "registry", .host = l->host, .login = true, .file = -1};
	struct image_fetch *f = NULL;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = image_fetch_start(store, &src, &f, e);
	if (r < 0)
		return r;
	r = image_fetch_login(f, l->user, l->secret, e);
	image_fetch_stop(f);
	return r;
}

static int keep(struct session *s, const struct registry_login *l, struct config *c,
		const char **where, struct err *e)
{
	struct docker_config entry = {.user = l->user, .password = l->secret};
	const char *helper = NULL;
	int r = read_config(s, c, e);

	if (r >= 0)
		r = helper_of(c, l->host, &helper, e);
	if (r >= 0 && helper) {
		r = store_with(s, helper, l, c->a, e);
		entry.password = NULL;
	}
	if (r >= 0)
		r = change_config(c, l->host, &entry, e);
	if (r >= 0)
		*where = helper ? NULL : c->path;
	return r < 0 ? r : 0;
}

int registry_login_check(struct session *s, const struct registry_login *l, struct err *e)
{
	/* Basic authentication has no way to say a ':' in a user's name (RFC 7617, section 2). */
	if (!*l->user || strchr(l->user, ':') || strlen(l->user) > REGISTRY_LOGIN_USER_MAX)
		return err_set(e, ERR_USAGE, "a user has 1 to %d characters without ':'",
			       REGISTRY_LOGIN_USER_MAX);
	if (!*l->secret || strlen(l->secret) > REGISTRY_LOGIN_SECRET_MAX)
		return err_set(e, ERR_USAGE, "a password has 1 to %d bytes",
			       REGISTRY_LOGIN_SECRET_MAX);
	return verify(s, l, e);
}

int registry_login_run(struct session *s, const struct registry_login *l, struct arena *a,
		       const char **where, struct err *e)
{
	struct config c = {.a = a, .dir = -1};
	int r = registry_login_check(s, l, e);

	if (r >= 0)
		r = keep(s, l, &c, where, e);
	config_done(&c);
	return r < 0 ? err_wrap(e, r, "login to '%.100s'", l->host) : 0;
}

int registry_login_erase(struct session *s, const char *host, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct config c = {.a = &a, .dir = -1};
	struct call call = {.verb = "erase", .in = docker_config_key(host)};
	int r = read_config(s, &c, e), had = 0;

	if (r >= 0)
		r = helper_of(&c, host, &call.helper, e);
	if (r >= 0)
		r = had = change_config(&c, host, &(struct docker_config){0}, e);
	call.in_len = strlen(call.in);
	if (r >= 0 && call.helper)
		r = call_helper(s, &call, &a, e);
	config_done(&c);
	return r < 0 ? err_wrap(e, r, "logout from '%.100s'", host) : had;
}
