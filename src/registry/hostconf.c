/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/hostconf.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/registries_conf.h"
#include "fmt/toml.h"
#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>

#define FILES_MAX 200 /* of one directory */
#define PEM_MAX	  (1u << 20)

static const char *user_dir(const struct hostconf_opts *o, struct arena *a)
{
	if (o->config_home && *o->config_home == '/')
		return o->config_home;
	return o->home ? arena_printf(a, "%s/.config", o->home) : NULL;
}

/* 1 read, 0 not there.  A file that is there and cannot be read is an error: it may forbid. */
static int add_file(struct registries_conf *c, const char *path, struct arena *a, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, path, TOML_MAX, &text);
	int r;

	if (n == -ENOENT || n == -ENOTDIR)
		return 0;
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", path);
	}
	r = registries_conf_add(c, text, (size_t)n, path, a, e);
	return r < 0 ? r : 1;
}

/* Names in dir that end so, sorted. */
static struct strs files_in(const char *dir, const char *ending, struct arena *a)
{
	struct strs l = {0};
	DIR *d = opendir(dir);
	struct dirent *de;

	while (d && l.n < FILES_MAX && (de = readdir(d))) {
		size_t n = strlen(de->d_name), k = strlen(ending);

		if (n > k && de->d_name[0] != '.' && streq(de->d_name + n - k, ending))
			arena_strs_add(a, &l, arena_dup(a, de->d_name));
	}
	if (d)
		closedir(d);
	arena_strs_sort(&l);
	return l;
}

static int read_all(const struct hostconf_opts *o, struct registries_conf *c, struct arena *a,
		    struct err *e)
{
	static const char dir[] = "/etc/containers/registries.conf.d";
	const char *user = user_dir(o, a);
	const char *const paths[] = {
	    user ? arena_printf(a, "%s/containers/registries.conf", user) : NULL,
	    "/etc/caisson/registries.conf", "/etc/containers/registries.conf"};
	struct strs more;
	int r = 0;

	if (o->registries_conf) {
		r = add_file(c, o->registries_conf, a, e);
		return r ? r
			 : err_set(e, ERR_NOT_FOUND, "'%s': No such file or directory",
				   o->registries_conf);
	}
	for (size_t i = 0; r == 0 && i < 3; i++)
		r = paths[i] ? add_file(c, paths[i], a, e) : 0;
	more = files_in(dir, ".conf", a);
	for (size_t i = 0; r >= 0 && i < more.n; i++)
		r = add_file(c, arena_printf(a, "%s/%s", dir, more.v[i]), a, e);
	return r < 0 ? r : 0;
}

int hostconf_targets(const struct hostconf_opts *o, const char *host, const char *repository,
		     struct arena *a, struct registries_targets *out, struct err *e)
{
	struct registries_conf *c = arena_alloc(a, sizeof(*c));
	int r = read_all(o, c, a, e);

	return r < 0 ? r : registries_conf_find(c, host, repository, a, out, e);
}

/* ---- certificates ---- */

static int read_pem(const char *dir, const char *name, struct arena *a, const char **out,
		    struct err *e)
{
	const char *path = arena_printf(a, "%s/%s", dir, name);
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, path, PEM_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", path);
	}
	*out = arena_dupn(a, text, (size_t)n);
	return 0;
}

static int authorities(const char *dir, struct arena *a, struct hostconf_tls *out, struct err *e)
{
	struct strs l = files_in(dir, ".crt", a);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		const char *pem;

		r = read_pem(dir, l.v[i], a, &pem, e);
		if (r >= 0)
			out->ca_pem =
			    out->ca_pem ? arena_printf(a, "%s\n%s", out->ca_pem, pem) : pem;
	}
	return r;
}

static int client(const char *dir, struct arena *a, struct hostconf_tls *out, struct err *e)
{
	struct strs l = files_in(dir, ".cert", a);
	const char *key;
	int r;

	if (!l.n)
		return 0;
	key = arena_printf(a, "%.*s.key", (int)strlen(l.v[0]) - 5, l.v[0]);
	r = read_pem(dir, l.v[0], a, &out->cert_pem, e);
	return r < 0 ? r : read_pem(dir, key, a, &out->key_pem, e);
}

int hostconf_tls(const struct hostconf_opts *o, const char *host, struct arena *a,
		 struct hostconf_tls *out, struct err *e)
{
	const char *user = user_dir(o, a);
	const char *const homes[] = {user ? arena_printf(a, "%s/containers", user) : NULL,
				     "/etc/caisson", "/etc/containers", "/etc/docker"};
	struct hostconf_tls t = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < 4; i++) {
		const char *dir =
		    homes[i] ? arena_printf(a, "%s/certs.d/%s", homes[i], host) : NULL;

		if (dir && !t.ca_pem)
			r = authorities(dir, a, &t, e);
		if (r >= 0 && dir && !t.cert_pem)
			r = client(dir, a, &t, e);
	}
	if (r >= 0)
		*out = t;
	return r;
}
