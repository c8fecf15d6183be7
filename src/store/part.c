/* SPDX-License-Identifier: Apache-2.0 */
#include "store/part.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "store/blob.h"
#include "store/store.h"
#include "store/store_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define TRIES 100

struct name {
	char s[80];
};

static struct name name_of(const char *hex)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), "parts/%.64s", hex);
	return n;
}

/* Is the open file still the one of that name?  It may have become the blob, or been swept. */
static bool is_named(const struct store *s, int fd, const char *name, struct stat *st)
{
	struct stat now;

	return fstat(fd, st) == 0 && fstatat(s->root_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

static int open_part(struct store *s, const char *name)
{
	int fd = -1;

	/* Stores made before there were parts have no directory for them: once more, then. */
	for (int i = 0; i < 2 && fd < 0; i++) {
		fd = openat(s->root_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 || errno != ENOENT ||
		    (mkdirat(s->root_fd, "parts", 0700) < 0 && errno != EEXIST))
			break;
	}
	return fd;
}

int part_take(struct store *s, const char *digest, uint64_t size, struct part *out, struct err *e)
{
	struct name n = name_of(digest_hex(digest));

	*out = (struct part){.fd = -1};
	snprintf(out->hex, sizeof(out->hex), "%.64s", digest_hex(digest));
	for (int i = 0; i < TRIES; i++) {
		auto_fd int fd = fault_point("part-open") < 0 ? -1 : open_part(s, n.s);
		struct stat st;

		if (fd < 0)
			return err_sys(e, "cannot write to the store");
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno != EWOULDBLOCK)
				return err_sys(e, "part of blob %.19s", digest);
			out->have = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
			return 0;
		}
		if (!is_named(s, fd, n.s, &st))
			continue;
		if ((uint64_t)st.st_size > size && ftruncate(fd, 0) < 0)
			return err_sys(e, "part of blob %.19s", digest);
		out->have = (uint64_t)st.st_size > size ? 0 : (uint64_t)st.st_size;
		out->fd = take_fd(&fd);
		return 1;
	}
	return err_set(e, ERR_CONFLICT, "part of blob %.19s comes and goes", digest);
}

int part_commit(struct store *s, struct part *p, const char *digest, uint64_t size, struct err *e)
{
	auto_fd int dir = store_dir(s, "blobs/sha256", e);
	struct stat st;

	if (dir < 0)
		return dir;
	if (fstat(p->fd, &st) < 0 || (uint64_t)st.st_size != size)
		return err_set(e, ERR_CORRUPT, "blob %.19s has %llu bytes, expected %llu", digest,
			       (unsigned long long)st.st_size, (unsigned long long)size);
	if (fault_point("part-sync") < 0 || fdatasync(p->fd) < 0 ||
	    fault_point("part-rename") < 0 ||
	    renameat(s->root_fd, name_of(p->hex).s, dir, p->hex) < 0 ||
	    fault_point("part-dirsync") < 0 || fsync(dir) < 0)
		return err_sys(e, "blob %.19s", digest);
	return 0;
}

void part_drop(struct store *s, struct part *p)
{
	struct stat st;

	if (p->fd < 0)
		return;
	if (is_named(s, p->fd, name_of(p->hex).s, &st))
		unlinkat(s->root_fd, name_of(p->hex).s, 0);
	auto_release_fd(&p->fd);
	p->fd = -1;
}

void part_close(struct store *s, struct part *p)
{
	struct stat st;

	if (p->fd < 0)
		return;
	if (fstat(p->fd, &st) == 0 && st.st_size == 0) {
		part_drop(s, p);
		return;
	}
	auto_release_fd(&p->fd);
	p->fd = -1;
}

void part_sweep(struct store *s, int64_t age_s, uint64_t *count, uint64_t *bytes)
{
	int top = openat(s->root_fd, "parts", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = top < 0 ? NULL : fdopendir(top);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		auto_fd int fd = -1;
		struct stat st;

		if (streq(de->d_name, ".") || streq(de->d_name, ".."))
			continue;
		fd = openat(top, de->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ||
		    !is_named(s, fd, name_of(de->d_name).s, &st) ||
		    time(NULL) - st.st_mtim.tv_sec < age_s || unlinkat(top, de->d_name, 0) < 0)
			continue;
		if (count)
			++*count;
		if (bytes)
			*bytes += (uint64_t)st.st_blocks * 512;
	}
	if (d)
		closedir(d);
	else if (top >= 0)
		close(top);
}
