/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "store/rootdriver.h"
#include "store/store_int.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define VERSION "1\n"

static const char *const root_dirs[] = {"blobs",   "blobs/sha256", "layers", "metas",
					"images",  "instances",	   "tmp",    "networks",
					"volumes", "cache",	   NULL};
static const char *const run_dirs[] = {"instances", "ns", "layers", "net", NULL};

/* mkdir -p of an absolute path.  The last part is ours alone; those above are made as any. */
static int make_path(const char *path)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= n; i++) {
		if (i < n && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, i < n ? 0755 : 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int open_top(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		errno = -make_path(path);
		if (errno)
			return err_sys(e, "cannot make '%s'", path);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? err_sys(e, "cannot open '%s'", path) : fd;
}

static int make_dirs(int fd, const char *top, const char *const *names, struct err *e)
{
	for (; *names; names++)
		if (mkdirat(fd, *names, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "cannot make '%s/%s'", top, *names);
	return 0;
}

/* The version file is the last thing made, so its presence means that all directories are there. */
static int check_version(struct store *s, struct err *e)
{
	auto_free char *have = NULL;
	ssize_t n = file_read(s->root_fd, "version", 64, &have);
	int r;

	if (n >= 0 && streq(have, VERSION))
		return 0;
	if (n > 0)
		return err_set(e, ERR_UNSUPPORTED, "'%s' is a store of version %.*s, not %.*s",
			       s->root, (int)strcspn(have, "\n"), have, (int)strlen(VERSION) - 1,
			       VERSION);
	r = make_dirs(s->root_fd, s->root, root_dirs, e);
	if (r < 0)
		return r;
	errno = -file_replace(s->root_fd, "version", VERSION, strlen(VERSION), 0644, FILE_DURABLE);
	return errno ? err_sys(e, "cannot write '%s/version'", s->root) : 0;
}

static char *full_path(const char *path)
{
	char cwd[PATH_MAX], *out = NULL;

	if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
		out = strdup(path);
	else if (asprintf(&out, "%s/%s", cwd, path) < 0)
		out = NULL;
	if (!out)
		abort();
	/* "/a/" and "/a" are one place; paths are compared as text in mount tables. */
	for (size_t n = strlen(out); n > 1 && out[n - 1] == '/'; n--)
		out[n - 1] = '\0';
	return out;
}

int store_open(const char *root, const char *run_root, struct store **out, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	struct stat st;
	int r;

	if (!s)
		abort();
	s->root_fd = s->run_fd = s->credentials = -1;
	s->root = full_path(root);
	s->run = run_root ? full_path(run_root) : NULL;
	r = s->root_fd = open_top(s->root, e);
	if (r >= 0)
		r = check_version(s, e);
	if (r >= 0 && s->run) {
		r = s->run_fd = open_top(s->run, e);
		/* The last of the directories tells that the others were made before. */
		if (r >= 0 && fstatat(s->run_fd, "net", &st, 0) < 0)
			r = make_dirs(s->run_fd, s->run, run_dirs, e);
	}
	if (r < 0) {
		store_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	auto_release_fd(&s->root_fd);
	auto_release_fd(&s->run_fd);
	auto_release_fd(&s->credentials);
	free(s->root);
	free(s->run);
	free(s);
}

int store_root_fd(const struct store *s)
{
	return s->root_fd;
}

int store_run_fd(const struct store *s)
{
	return s->run_fd;
}

const char *store_root_path(const struct store *s)
{
	return s->root;
}

const char *store_run_path(const struct store *s)
{
	return s->run;
}

void store_set_credentials(struct store *s, int fd)
{
	auto_release_fd(&s->credentials);
	s->credentials = fd;
}

int store_credentials(const struct store *s)
{
	return s->credentials;
}

int store_lock(const struct store *s, enum store_lock how, struct err *e)
{
	auto_fd int fd = openat(s->root_fd, "lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_sys(e, "cannot open '%s/lock'", s->root);
	do
		r = flock(fd, how == STORE_EXCLUSIVE ? LOCK_EX : LOCK_SH);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_sys(e, "cannot lock '%s'", s->root) : take_fd(&fd);
}

int store_dir(const struct store *s, const char *name, struct err *e)
{
	int fd = openat(s->root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "cannot open '%s/%s'", s->root, name) : fd;
}

const char *store_helper(const struct store *s, const char *name, struct arena *a)
{
	static const char *const where[] = {"", "../libexec/caisson/"};
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	slash[1] = '\0';
	for (size_t i = 0; i < sizeof(where) / sizeof(*where); i++) {
		const char *p = arena_printf(a, "%s%s%s", self, where[i], name);

		if (access(p, X_OK) == 0)
			return p;
	}
	return NULL;
}

int store_set_driver(struct store *s, const char *name, struct err *e)
{
	if (name && !streq(name, ROOTDRIVER_KERNEL) && !streq(name, ROOTDRIVER_FUSE))
		return err_set(e, ERR_USAGE,
			       "--storage-driver wants " ROOTDRIVER_KERNEL " or " ROOTDRIVER_FUSE
			       ", not '%.60s'",
			       name);
	s->driver = name;
	return 0;
}
