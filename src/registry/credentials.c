/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/credentials.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/credential_helper.h"
#include "fmt/docker_config.h"
#include "sys/child.h"
#include "sys/file.h"

#include <fcntl.h>
#include <limits.h>

static const char *variable(const char *const *environ, const char *name)
{
	for (size_t i = 0; environ && environ[i]; i++) {
		const char *v = str_after(environ[i], name);

		if (v)
			return v;
	}
	return NULL;
}

static int ask_helper(const struct credentials_opts *o, struct arena *a, struct docker_config *c,
		      struct err *e)
{
	const char *program = credential_helper_program(c->helper, a);
	const char *server = docker_config_key(o->host);
	const char *argv[] = {program, "get", NULL};
	struct child_talk t = {.in = server,
			       .in_len = strlen(server),
			       .max = CREDENTIAL_HELPER_MAX,
			       .ms = CREDENTIAL_HELPER_MS};
	auto_free char *text = NULL;
	struct credential got = {0};
	struct child_opts co = {.argv = argv};
	char path[PATH_MAX];
	int status = 0, r;
	ssize_t n;

	if (!program)
		return err_set(e, ERR_USAGE, "config.json names the credential helper '%.60s'",
			       c->helper);
	if (child_find(program, variable(o->environ, "PATH="), path, sizeof(path)) < 0)
		return 0;
	co.path = path;
	co.env = credential_helper_env(o->environ, a);
	n = child_talk(&co, &t, &text, &status);
	if (n == -ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT, "'%s get' took more than %d s", program,
			       CREDENTIAL_HELPER_MS / 1000);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s get'", program);
	}
	r = credential_helper_parse(text, (size_t)n, status == 0, a, &got, e);
	if (r < 0)
		return err_wrap(e, r, "'%s get'", program);
	if (got.user && streq(got.user, CREDENTIAL_IDENTITY)) {
		*c = (struct docker_config){.identity = got.secret};
	} else if (got.user) {
		*c = (struct docker_config){.user = got.user, .password = got.secret};
	}
	return 0;
}

int credentials_read(const struct credentials_opts *o, struct arena *a, struct docker_config *out,
		     struct err *e)
{
	auto_free char *text = NULL;
	struct docker_config c = {0};
	const char *path;
	ssize_t n;
	int r;

	*out = c;
	if (o->file)
		path = o->file;
	else if (o->docker_config)
		path = arena_printf(a, "%s/config.json", o->docker_config);
	else if (o->home)
		path = arena_printf(a, "%s/.docker/config.json", o->home);
	else
		return 0;
	n = file_read(AT_FDCWD, path, DOCKER_CONFIG_MAX, &text);
	if (n == -ENOENT || n == -ENOTDIR || n == -EACCES)
		return 0;
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", path);
	}
	r = docker_config_lookup(text, (size_t)n, o->host, a, &c, e);
	if (r < 0)
		return err_wrap(e, r, "'%s'", path);
	r = c.helper ? ask_helper(o, a, &c, e) : 0;
	if (r >= 0)
		*out = c;
	return r;
}
