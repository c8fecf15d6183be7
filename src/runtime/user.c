/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/user.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/passwd.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (4u << 20)
#define GROUPS_MAX     1024

/* O_NONBLOCK, because opening a FIFO would wait for its other end for ever. */
static char *slurp(const char *path)
{
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = -1;
	struct stat st;
	char *text;

	if (root >= 0)
		fd = path_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, PATH_IN_ROOT);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    fd_slurp(fd, FILE_MAX_BYTES, &text) < 0)
		return calloc(1, 1) ?: (abort(), NULL);
	return text;
}

static bool all_digits(const char *s)
{
	return *s && !s[strspn(s, "0123456789")];
}

static int find_user(const char *users, const char *name, struct passwd_user *u, struct err *e)
{
	*u = (struct passwd_user){.home = "/", .home_len = 1};
	if (passwd_find_user(users, name, 0, u))
		return 0;
	if (!all_digits(name))
		return err_set(e, ERR_NOT_FOUND,
			       "unable to find user '%s': no matching entries in passwd file",
			       name);
	if (!passwd_id(name, strlen(name), &u->uid))
		return err_set(e, ERR_USAGE, "user id '%s' is not from 0 to 4294967294", name);
	/* An id without an account is fine: group 0, home "/". */
	passwd_find_user(users, NULL, u->uid, u);
	return 0;
}

static int find_group(const char *groups, const char *name, uint32_t *gid, struct err *e)
{
	if (passwd_find_group(groups, name, gid))
		return 0;
	if (!all_digits(name))
		return err_set(e, ERR_NOT_FOUND,
			       "unable to find group '%s': no matching entries in group file",
			       name);
	if (!passwd_id(name, strlen(name), gid))
		return err_set(e, ERR_USAGE, "group id '%s' is not from 0 to 4294967294", name);
	return 0;
}

static void add_groups(struct plan_user *user, const uint32_t *gids, size_t n, struct arena *a)
{
	struct jbind_nums l = {0};

	l.v = arena_array(a, user->additional_gids.n + n + 1, sizeof(*l.v));
	for (size_t i = 0; i < user->additional_gids.n; i++)
		l.v[l.n++] = user->additional_gids.v[i];
	for (size_t i = 0; i < n; i++)
		l.v[l.n++] = gids[i];
	user->additional_gids = l;
}

/* True when an entry after the one at i sets the same variable. */
static bool set_again(const struct strs *env, size_t i)
{
	size_t n = strcspn(env->v[i], "=");

	for (size_t k = i + 1; k < env->n; k++)
		if (strncmp(env->v[k], env->v[i], n) == 0 &&
		    (env->v[k][n] == '=' || env->v[k][n] == '\0'))
			return true;
	return false;
}

/* Every variable once, the last value said (programs and shells disagree on which of two they
 * take), and HOME from the image's passwd when it is missing or empty. */
static void final_env(struct plan_process *p, const struct passwd_user *u, struct arena *a)
{
	struct strs env = {0};
	bool home = false;

	for (size_t i = 0; i < p->env.n; i++) {
		const char *value = str_after(p->env.v[i], "HOME=");

		if (set_again(&p->env, i) || (value && !*value))
			continue;
		home = home || value;
		arena_strs_add(a, &env, p->env.v[i]);
	}
	if (!home)
		arena_strs_add(a, &env,
			       u->home_len ? arena_printf(a, "HOME=%.*s", (int)u->home_len, u->home)
					   : "HOME=/");
	p->env = env;
}

/* Of --group-add. */
static int named_groups(const char *groups, struct plan_process *p, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < p->user.groups.n; i++) {
		uint32_t gid = 0;
		int r = find_group(groups, p->user.groups.v[i], &gid, e);

		if (r < 0)
			return r;
		add_groups(&p->user, &gid, 1, a);
	}
	return 0;
}

int user_resolve(struct plan_process *p, struct arena *a, struct err *e)
{
	auto_free char *users = slurp("etc/passwd"), *groups = slurp("etc/group");
	const char *spec = p->user.username;
	struct passwd_user u = {.uid = p->user.uid, .home = "/", .home_len = 1};
	uint32_t gids[GROUPS_MAX];
	const char *colon;
	size_t n = 0;
	int r = named_groups(groups, p, a, e);

	if (r < 0)
		return r;
	if (!spec) {
		passwd_find_user(users, NULL, u.uid, &u);
		final_env(p, &u, a);
		return 0;
	}
	colon = strchr(spec, ':');
	r = find_user(users, colon ? arena_dupn(a, spec, (size_t)(colon - spec)) : spec, &u, e);
	if (r < 0)
		return r;
	if (colon && colon[1]) {
		r = find_group(groups, colon + 1, &u.gid, e);
		if (r < 0)
			return r;
	} else if (u.name) {
		/* As in docker: a group that was named replaces membership. */
		n = passwd_member_of(groups, u.name, u.name_len, gids, GROUPS_MAX);
		n = n < GROUPS_MAX ? n : GROUPS_MAX;
	}
	p->user.uid = u.uid;
	p->user.gid = u.gid;
	add_groups(&p->user, gids, n, a);
	final_env(p, &u, a);
	return 0;
}
