/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/journal.h"
#include "base/auto.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define PIECE	  (64u << 10)
#define FILES_MAX 1000 /* docker's max-file has no bound; names beyond are not looked at */

static const char *file_name(char out[NAME_MAX + 1], const char *name, unsigned int n)
{
	if (!n)
		return name;
	snprintf(out, NAME_MAX + 1, "%s.%u", name, n);
	return out;
}

int journal_rotate(int dir_fd, const char *name, unsigned int files)
{
	char from[NAME_MAX + 1], to[NAME_MAX + 1];

	if (files <= 1)
		return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
	for (unsigned int n = files - 1; n--;)
		if (renameat(dir_fd, file_name(from, name, n), dir_fd, file_name(to, name, n + 1)) <
			0 &&
		    errno != ENOENT)
			return -errno;
	return 0;
}

static bool is_named(int dir_fd, const char *name, int fd, struct stat *mine)
{
	struct stat named;

	return fstat(fd, mine) == 0 && fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine->st_ino == named.st_ino && mine->st_dev == named.st_dev;
}

/* Locked, and still the file of that name. */
static int open_locked(int dir_fd, const char *name, struct stat *st)
{
	for (;;) {
		auto_fd int fd = openat(
		    dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return -errno;
		if (is_named(dir_fd, name, fd, st))
			return take_fd(&fd);
	}
}

int journal_append(int dir_fd, const char *name, const struct journal_bounds *b, const void *line,
		   size_t len)
{
	struct stat st;
	auto_fd int fd = open_locked(dir_fd, name, &st);
	int r;

	if (fd < 0)
		return fd;
	if (st.st_size && (uint64_t)st.st_size + len > b->bytes) {
		/* Others that wait for the lock find that the name moved on. */
		r = journal_rotate(dir_fd, name, b->files);
		if (r < 0)
			return r;
		fd_close(fd);
		fd = open_locked(dir_fd, name, &st);
		if (fd < 0)
			return fd;
	}
	r = fd_write_all(fd, line, len);
	/* No half lines, when the disk is full. */
	if (r < 0 && ftruncate(fd, st.st_size) < 0)
		return -errno;
	return r;
}

/* ---- reading ---- */

static int open_file(struct journal_reader *r, unsigned int n)
{
	char name[NAME_MAX + 1];

	fd_close(r->fd);
	r->fd = openat(r->dir_fd, file_name(name, r->name, n), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return r->fd < 0 ? -errno : 0;
}

static bool exists(struct journal_reader *r, unsigned int n)
{
	char name[NAME_MAX + 1];

	return faccessat(r->dir_fd, file_name(name, r->name, n), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int give(struct journal_reader *r, const char *p, size_t n, bool end)
{
	int ret = 0;

	if (!r->part)
		r->part = malloc(r->line_max);
	if (!r->part)
		abort();
	r->skip |= r->part_len + n > r->line_max;
	if (!r->skip) {
		memcpy(r->part + r->part_len, p, n);
		r->part_len += n;
	}
	if (!end)
		return 0;
	if (!r->skip)
		ret = r->line(r->part, r->part_len, r->arg);
	r->part_len = 0;
	r->skip = false;
	return ret;
}

static int to_end(struct journal_reader *r)
{
	char piece[PIECE];
	ssize_t n;

	while (r->fd >= 0 && (n = read(r->fd, piece, PIECE)) > 0) {
		const char *p = piece, *end = piece + n, *nl;

		while ((nl = memchr(p, '\n', (size_t)(end - p)))) {
			int ret = give(r, p, (size_t)(nl - p), true);

			if (ret)
				return ret;
			p = nl + 1;
		}
		give(r, p, (size_t)(end - p), false);
	}
	return 0;
}

/* Where the last `want` lines of the open file begin; *have: how many it has of them. */
static off_t count_back(struct journal_reader *r, int64_t want, int64_t *have)
{
	off_t at = lseek(r->fd, 0, SEEK_END);
	char piece[PIECE];

	*have = 0;
	while (at > 0) {
		size_t n = at < (off_t)PIECE ? (size_t)at : PIECE;

		at -= (off_t)n;
		if (pread(r->fd, piece, n, at) != (ssize_t)n)
			break;
		for (size_t i = n; i--;)
			if (piece[i] == '\n' && (*have)++ == want) {
				*have = want;
				return at + (off_t)i + 1;
			}
	}
	return 0;
}

/* The file and the place in it where the last lines begin. */
static unsigned int find_start(struct journal_reader *r, int64_t last, off_t *start)
{
	unsigned int n = 0;
	int64_t have;

	*start = 0;
	for (; last < 0 && n < FILES_MAX && exists(r, n + 1); n++)
		;
	if (last < 0)
		return n;
	for (;; n++) {
		if (open_file(r, n) < 0)
			return n ? n - 1 : 0;
		*start = last ? count_back(r, last, &have) : lseek(r->fd, 0, SEEK_END);
		if (!last || have == last || n + 1 >= FILES_MAX || !exists(r, n + 1))
			return n;
		last -= have;
	}
}

int journal_read(struct journal_reader *r, int64_t last)
{
	unsigned int n;
	off_t start;

	r->fd = -1;
	n = find_start(r, last, &start);
	for (;; n--, start = 0) {
		int ret = 0;

		if (open_file(r, n) == 0) {
			lseek(r->fd, start, SEEK_SET);
			ret = to_end(r);
		}
		if (ret || !n)
			return ret;
	}
}

/* The number of the open file now, -1 when its name is gone. */
static int number_of(const struct journal_reader *r)
{
	struct stat mine;

	for (unsigned int n = 0; n < FILES_MAX; n++) {
		char room[NAME_MAX + 1];
		const char *name = file_name(room, r->name, n);

		if (is_named(r->dir_fd, name, r->fd, &mine))
			return (int)n;
		if (n && faccessat(r->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			break;
	}
	return -1;
}

int journal_read_on(struct journal_reader *r)
{
	for (;;) {
		/* Asked before reading: what was written before the rename is then read after it.
		 */
		int n = r->fd < 0 ? -1 : number_of(r), ret = to_end(r);

		if (ret || n == 0)
			return ret;
		if (n < 0) {
			/* Behind by all of them, or not there yet: on with the oldest. */
			for (n = 0; n < FILES_MAX && exists(r, (unsigned int)n + 1); n++)
				;
			if (!exists(r, (unsigned int)n))
				return 0;
			n++;
		}
		if (open_file(r, (unsigned int)n - 1) < 0)
			return 0;
	}
}

void journal_done(struct journal_reader *r)
{
	fd_close(r->fd);
	free(r->part);
	r->fd = -1;
	r->part = NULL;
}

int journal_watch(int dir_fd)
{
	auto_fd int in = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	if (in < 0 || inotify_add_watch(in, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return -errno;
	return take_fd(&in);
}

void journal_woken(int watch_fd)
{
	char events[4096];

	while (read(watch_fd, events, sizeof(events)) > 0)
		;
}
