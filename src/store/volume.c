/* SPDX-License-Identifier: Apache-2.0 */
#include "store/volume.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "store/instance.h"
#include "sys/file.h"
#include "sys/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define NAME_LEN   (32 + INSTANCE_NAME_MAX)
#define RECORD_MAX (1u << 20)

static const struct jbind_field fields[] = {
    JB(struct volume, created_ns, "created_ns", JBIND_INT),
    JB(struct volume, labels, "labels", JBIND_STRS),
    JB(struct volume, options, "options", JBIND_STRS),
    JB_END,
};
static const struct jbind table = {.size = sizeof(struct volume), .fields = fields};

int volume_check_name(const char *name, struct err *e)
{
	if (instance_check_name(name, NULL) == 0)
		return 0;
	return err_set(e, ERR_USAGE,
		       "invalid volume name '%.60s': up to %d of [a-zA-Z0-9_.-], beginning with a "
		       "letter or digit; for a host path use -v or --mount type=bind",
		       name, INSTANCE_NAME_MAX);
}

bool volume_anonymous(const char *name)
{
	return strlen(name) == INSTANCE_ID && strspn(name, "0123456789abcdef") == INSTANCE_ID;
}

const char *volume_option(const struct volume *v, const char *key)
{
	for (size_t i = 0; i < v->options.n; i++) {
		const char *rest = str_after(v->options.v[i], key);

		if (rest && *rest == '=')
			return rest + 1;
	}
	return NULL;
}

static int fill(int dir, const struct volume *v, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	struct volume now = *v;
	struct timespec t;
	int r;

	clock_gettime(CLOCK_REALTIME, &t);
	now.created_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	jbind_write(&table, &now, &b);
	r = buf_fail(&b, "labels", e);
	if (r < 0)
		return r;
	r = mkdirat(dir, "_data", 0755) < 0 ? -errno : 0;
	if (r == 0)
		r = file_replace(dir, "volume.json", b.p, b.len, 0600, FILE_DURABLE);
	if (r == 0)
		return 0;
	errno = -r;
	return err_sys(e, "volume '%s'", v->name);
}

/* Its name must be there after a power cut, because what is written to it will. */
static void sync_names(int root_fd)
{
	auto_fd int dir = openat(root_fd, "volumes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		fsync(dir);
}

int volume_create(int root_fd, const struct volume *v, struct err *e)
{
	char at[NAME_LEN], beside[VOLUME_ASIDE], id[INSTANCE_ID + 1];
	auto_fd int lock = -1;
	int r = volume_check_name(v->name, e);

	if (r < 0)
		return r;
	snprintf(at, sizeof(at), "volumes/%s", v->name);
	if (faccessat(root_fd, at, F_OK, 0) == 0)
		return 0;
	instance_new_id(id);
	snprintf(beside, sizeof(beside), "tmp/volume-%s", id);
	if ((mkdirat(root_fd, "volumes", 0711) < 0 && errno != EEXIST) ||
	    (mkdirat(root_fd, "tmp", 0700) < 0 && errno != EEXIST) ||
	    mkdirat(root_fd, beside, 0711) < 0)
		return err_sys(e, "volume '%s'", v->name);
	/* Locked until it has its name: a sweep takes what is in tmp/ and not locked. */
	lock = openat(root_fd, beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_sys(e, "volume '%s'", v->name);
	r = fill(lock, v, e);
	if (r == 0) {
		if (renameat(root_fd, beside, root_fd, at) == 0) {
			sync_names(root_fd);
			return 1;
		}
		/* Somebody else made it meanwhile? */
		r = errno == EEXIST || errno == ENOTEMPTY ? 0 : err_sys(e, "volume '%s'", v->name);
	}
	path_remove(root_fd, beside);
	return r;
}

int volume_ensure(int root_fd, const char *name, struct err *e)
{
	const struct volume v = {.name = name};

	return volume_create(root_fd, &v, e);
}

int volume_load(int root_fd, const char *name, struct arena *a, struct volume *out, struct err *e)
{
	auto_free char *text = NULL;
	struct volume v = {0};
	char at[NAME_LEN + 16];
	struct stat st;
	ssize_t n;
	int r = 0;

	if (instance_check_name(name, NULL) == 0)
		snprintf(at, sizeof(at), "volumes/%s", name);
	if (instance_check_name(name, NULL) < 0 ||
	    fstatat(root_fd, at, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_NOT_FOUND, "no such volume: %.128s", name);
	snprintf(at, sizeof(at), "volumes/%s/volume.json", name);
	n = file_read(root_fd, at, RECORD_MAX, &text);
	/* Older ones have no record. */
	if (n >= 0) {
		r = jbind_parse(&table, text, (size_t)n, &v, a, "volume.json", e);
	} else if (n != -ENOENT) {
		errno = (int)-n;
		r = err_sys(e, "record of volume '%s'", name);
	}
	if (r < 0)
		return r;
	if (!v.created_ns)
		v.created_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	v.name = arena_dup(a, name);
	*out = v;
	return 0;
}

int volume_names(int root_fd, struct arena *a, struct strs *out, struct err *e)
{
	int fd = openat(root_fd, "volumes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strs l = {0};
	struct dirent *de;
	DIR *d;

	*out = l;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "volumes");
	d = fdopendir(fd);
	if (!d)
		abort();
	while ((de = readdir(d)))
		if (instance_check_name(de->d_name, NULL) == 0)
			arena_strs_add(a, &l, arena_dup(a, de->d_name));
	closedir(d);
	arena_strs_sort(&l);
	*out = l;
	return 0;
}

int volume_take(int root_fd, const char *name, char aside[VOLUME_ASIDE], struct err *e)
{
	char at[NAME_LEN], id[INSTANCE_ID + 1];
	int r = volume_check_name(name, e);

	if (r < 0)
		return r;
	instance_new_id(id);
	snprintf(at, sizeof(at), "volumes/%s", name);
	snprintf(aside, VOLUME_ASIDE, "tmp/volume-%s", id);
	if (mkdirat(root_fd, "tmp", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "tmp");
	if (renameat(root_fd, at, root_fd, aside) == 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, "volume '%s'", name);
}

int volume_remove(int root_fd, const char *name, struct err *e)
{
	char aside[VOLUME_ASIDE];
	int r = volume_take(root_fd, name, aside, e);

	if (r > 0)
		r = path_remove(root_fd, aside);
	else
		return r;
	if (r == 0)
		return 0;
	errno = -r;
	return err_sys(e, "volume '%s'", name);
}
