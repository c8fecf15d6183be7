/* SPDX-License-Identifier: Apache-2.0 */
#include "store/stage.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/fault.h"
#include "store/store.h"
#include "store/store_int.h"
#include "sys/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

struct stage {
	int tmp_fd, fd;
	char name[24], path[32];
};

static const char *const kinds[] = {"blob", "layer", "meta"};
_Static_assert(sizeof(kinds) / sizeof(*kinds) == STAGE_KIND_MAX_, "a name for every kind");

/* Between mkdir and flock a sweeper may take the directory for garbage: then nlink is 0, once more.
 */
static int make(struct stage *st)
{
	for (int tries = 0; tries < 100; tries++) {
		unsigned long long salt;
		struct stat sb;

		if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
			return -EIO;
		snprintf(st->name, sizeof(st->name), "%016llx", salt);
		if (mkdirat(st->tmp_fd, st->name, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		st->fd = openat(st->tmp_fd, st->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (st->fd < 0 && errno != ENOENT)
			return -errno;
		if (st->fd >= 0 && flock(st->fd, LOCK_EX | LOCK_NB) == 0 &&
		    fstat(st->fd, &sb) == 0 && sb.st_nlink > 0)
			return 0;
		auto_release_fd(&st->fd);
		st->fd = -1;
	}
	return -EAGAIN;
}

int stage_new(struct store *s, struct stage **out, struct err *e)
{
	struct stage *st = calloc(1, sizeof(*st));
	int r;

	if (!st)
		abort();
	st->fd = -1;
	stage_sweep(s);
	fault_point("stage-make");
	st->tmp_fd = r = store_dir(s, "tmp", e);
	if (r >= 0) {
		r = make(st);
		if (r < 0) {
			errno = -r;
			err_sys(e, "cannot make a directory in '%s/tmp'", s->root);
		}
	}
	if (r < 0) {
		auto_release_fd(&st->tmp_fd);
		free(st);
		return r;
	}
	snprintf(st->path, sizeof(st->path), "tmp/%s", st->name);
	*out = st;
	return 0;
}

void stage_free(struct stage *st)
{
	if (!st)
		return;
	fault_point("stage-remove");
	path_remove(st->tmp_fd, st->name);
	auto_release_fd(&st->fd);
	auto_release_fd(&st->tmp_fd);
	free(st);
}

int stage_fd(const struct stage *st)
{
	return st->fd;
}

const char *stage_path(const struct stage *st)
{
	return st->path;
}

int stage_lease(struct stage *st, enum stage_kind kind, const char *hex, struct err *e)
{
	char name[96];
	int fd;

	snprintf(name, sizeof(name), "lease-%s-%.64s", kinds[kind], hex);
	if (fault_point("stage-lease") < 0)
		return err_sys(e, "cannot write to the store");
	fd = openat(st->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "cannot write to the store");
	close(fd);
	return 0;
}

static bool is_live(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return true;
	flock(fd, LOCK_UN);
	return false;
}

bool stage_lives(const struct store *s, const char *path)
{
	auto_fd int fd = openat(store_root_fd(s), path,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd >= 0 && is_live(fd);
}

bool stage_leased(struct store *s, enum stage_kind kind, const char *hex)
{
	int tmp = store_dir(s, "tmp", NULL);
	DIR *d = tmp < 0 ? NULL : fdopendir(tmp);
	struct dirent *de;
	bool found = false;

	while (d && !found && (de = readdir(d))) {
		char name[512];
		struct stat sb;

		if (de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/lease-%s-%.64s", de->d_name, kinds[kind], hex);
		if (fstatat(tmp, name, &sb, AT_SYMLINK_NOFOLLOW) == 0) {
			auto_fd int fd =
			    openat(tmp, de->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

			found = fd >= 0 && is_live(fd);
		}
	}
	if (d)
		closedir(d);
	else if (tmp >= 0)
		close(tmp);
	return found;
}

void stage_sweep(struct store *s)
{
	int tmp = store_dir(s, "tmp", NULL);
	DIR *d = tmp < 0 ? NULL : fdopendir(tmp);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		auto_fd int fd = -1;

		if (de->d_name[0] == '.')
			continue;
		fd = openat(tmp, de->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			path_remove(tmp, de->d_name);
	}
	if (d)
		closedir(d);
	else if (tmp >= 0)
		close(tmp);
}
