/* SPDX-License-Identifier: Apache-2.0 */
#include "files/filework.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "files/changes.h"
#include "files/packtree.h"
#include "sys/fd.h"
#include "sys/mountstub.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHANGES_MAX (256u << 20)
#define OUT_SIZE    (64u << 10)
#define LINKS_MAX   40 /* as the kernel follows on one path */

const char *const filework_kinds[] = {"item", "contents", "raw", NULL};

static int sys(struct err *e, int r, const char *path)
{
	errno = -r;
	return err_sys(e, "'%s'", path);
}

static int lock_in(const struct filework_place *p, int dir, bool read_only, struct err *e)
{
	return p->lock ? p->lock(p->arg, dir, read_only, e) : 0;
}

/* ---- the archive on its way out ---- */

struct out {
	int fd;
	size_t len;
	unsigned char *p; /* OUT_SIZE */
};

static int flush(struct out *o, struct err *e)
{
	errno = -fd_write_all(o->fd, o->p, o->len);
	o->len = 0;
	return errno ? err_sys(e, "write the archive") : 0;
}

static int write_out(void *arg, const void *data, size_t len, struct err *e)
{
	struct out *o = arg;
	const unsigned char *p = data;

	while (len) {
		size_t n = OUT_SIZE - o->len < len ? OUT_SIZE - o->len : len;
		int r;

		memcpy(o->p + o->len, p, n);
		o->len += n;
		p += n;
		len -= n;
		r = o->len == OUT_SIZE ? flush(o, e) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* name NULL: all that is in the directory. */
static int pack(const struct filework_place *p, int dir, const char *name, const char *as,
		const struct packtree_opts *po, struct err *e)
{
	auto_free unsigned char *room = malloc(OUT_SIZE);
	struct out o = {.fd = p->data, .p = room};
	struct packtree_sink to = {write_out, &o};
	struct packtree_stats stats;
	int r;

	if (!room)
		abort();
	r = lock_in(p, dir, true, e);
	if (r < 0)
		return r;
	r = name ? packtree_item(dir, name, as, po, &to, &stats, e)
		 : packtree_write(dir, po, &to, &stats, e);
	return r < 0 ? r : flush(&o, e);
}

/* ---- get ---- */

/* Split off the last component; false when that is no name of its own ("", ".", ".."). */
static bool split(char *path, const char **dir, const char **base)
{
	size_t n = strlen(path);
	char *slash;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	slash = strrchr(path, '/');
	*base = slash ? slash + 1 : path;
	*dir = !slash ? "." : slash == path ? "/" : path;
	if (!**base || streq(*base, ".") || streq(*base, ".."))
		return false;
	if (slash)
		*slash = '\0';
	return true;
}

/* The directory that holds what is to be read, and its name there.  Every step begins at the root
 * again, so a link that is swapped meanwhile leads to some other place inside at worst. */
static int find(const char *asked, bool follow, int root, char *path, size_t size,
		const char **name, struct err *e)
{
	char target[PATH_MAX], next[2 * PATH_MAX];
	const char *dir;

	follow |= *asked && asked[strlen(asked) - 1] == '/';
	snprintf(path, size, "%s", asked);
	for (int i = 0; i < LINKS_MAX; i++) {
		char copy[PATH_MAX];
		ssize_t n;
		int fd;

		snprintf(copy, sizeof(copy), "%s", path);
		if (!split(path, &dir, name)) {
			fd = path_open(root, copy, O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
			*name = ".";
			return fd < 0 ? sys(e, fd, asked) : fd;
		}
		fd = path_open(root, dir, O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
		if (fd < 0)
			return sys(e, fd, asked);
		n = follow ? readlinkat(fd, *name, target, sizeof(target) - 1) : -1;
		if (n < 0)
			return fd;
		target[n] = '\0';
		if (*target == '/')
			snprintf(next, sizeof(next), "%s", target);
		else
			snprintf(next, sizeof(next), "%s/%s", dir, target);
		close(fd);
		if (strlen(next) >= size)
			return sys(e, -ENAMETOOLONG, asked);
		snprintf(path, size, "%s", next);
	}
	return sys(e, -ELOOP, asked);
}

static int get(const struct filework *w, const struct filework_place *p, struct err *e)
{
	struct packtree_opts po = {.epoch = INT64_MAX};
	char path[PATH_MAX];
	const char *name = NULL;
	auto_fd int dir = -1;
	struct stat st;

	if (strlen(w->get) >= sizeof(path))
		return sys(e, -ENAMETOOLONG, w->get);
	dir = find(w->get, w->follow, p->root, path, sizeof(path), &name, e);
	if (dir < 0)
		return dir;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sys(e, -errno, w->get);
	if (w->get[strlen(w->get) - 1] == '/' && !S_ISDIR(st.st_mode))
		return sys(e, -ENOTDIR, w->get);
	return pack(p, dir, name, w->as ? w->as : ".", &po, e);
}

/* Where a link leads in the end, as a path from the root; there need not be anything. */
static int leads_to(const char *asked, int root, struct buf *out, struct err *e)
{
	const char *name = NULL;
	char path[PATH_MAX];
	auto_fd int dir = find(asked, true, root, path, sizeof(path), &name, e);

	if (dir < 0)
		return dir;
	/* find() cuts the name off path, unless that has none of its own. */
	if (streq(name, "."))
		buf_puts(out, path);
	else if (name == path)
		buf_printf(out, "/%s", name);
	else
		buf_printf(out, "%s/%s", path, name);
	return 0;
}

static int tell(const struct filework *w, const struct filework_place *p, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(3 * PATH_MAX);
	const char *name = NULL;
	char path[PATH_MAX];
	auto_fd int dir = -1;
	struct stat st;
	int r;

	if (strlen(w->stat) >= sizeof(path))
		return sys(e, -ENAMETOOLONG, w->stat);
	/* Walked as for --get, before the lock: nothing of a file's content is read. */
	dir = find(w->stat, false, p->root, path, sizeof(path), &name, e);
	if (dir < 0)
		return dir;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sys(e, -errno, w->stat);
	if (w->stat[strlen(w->stat) - 1] == '/' && !S_ISDIR(st.st_mode))
		return sys(e, -ENOTDIR, w->stat);
	buf_printf(&out, "%u%c%lld%c%lld%c", (unsigned int)st.st_mode, 0, (long long)st.st_size, 0,
		   (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, 0);
	r = S_ISLNK(st.st_mode) ? leads_to(w->stat, p->root, &out, e) : 0;
	buf_add(&out, "", 1);
	if (r == 0)
		r = buf_fail(&out, w->stat, e);
	if (r < 0)
		return r;
	errno = -fd_write_all(p->answer, out.p, out.len);
	return errno ? err_sys(e, "write the result") : 0;
}

/* ---- the others ---- */

static int put(const struct filework *w, const struct filework_place *p, struct err *e)
{
	struct copyin_opts co = {.kind = w->kind,
				 .path = w->put,
				 .links = w->links,
				 .archive = w->archive,
				 .owner_root = w->owner_root};
	char answer[32];
	uint64_t bytes = 0;
	int r = lock_in(p, p->root, false, e);

	if (r >= 0)
		r = copyin_run(p->root, &co, p->data, &bytes, e);
	if (r < 0)
		return r;
	r = snprintf(answer, sizeof(answer), "%" PRIu64 "\n", bytes);
	errno = -fd_write_all(p->answer, answer, (size_t)r);
	return errno ? err_sys(e, "write the result") : 0;
}

static int list_changes(const struct filework *w, const struct filework_place *p, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(CHANGES_MAX);
	struct strs skip = {w->skip.v, w->skip.n};
	struct changes_opts co = {
	    .skip = &skip, .user_marks = p->user_marks, .fuse_marks = p->fuse_marks};
	int r = lock_in(p, p->root, true, e);

	if (r >= 0)
		r = changes_list(p->root, p->lower, &co, &out, e);
	if (r < 0)
		return r;
	errno = -fd_write_all(p->answer, out.p, out.len);
	return errno ? err_sys(e, "write the result") : 0;
}

static int layer(const struct filework *w, const struct filework_place *p, struct err *e)
{
	struct strs skip = {w->skip.v, w->skip.n};
	struct packtree_opts po = {
	    .overlay = true, .user_marks = p->user_marks, .epoch = w->epoch, .skip = &skip};

	/* Those in others come last. */
	for (size_t i = w->drop.n; i-- > 0;)
		mountstub_drop(p->lower, p->root, w->drop.v[i]);
	return pack(p, p->root, NULL, NULL, &po, e);
}

int filework_check(const struct filework *w, struct err *e)
{
	if ((w->get != NULL) + (w->put != NULL) + (w->stat != NULL) + w->export + w->changes +
		w->layer !=
	    1)
		return err_set(
		    e, ERR_USAGE,
		    "one of --get, --put, --stat, --export, --changes and --layer is needed");
	if ((w->get && !*w->get) || (w->put && !*w->put) || (w->stat && !*w->stat))
		return err_set(e, ERR_USAGE, "the path is empty");
	return 0;
}

int filework_run(const struct filework *w, const struct filework_place *p, struct err *e)
{
	struct packtree_opts whole = {.epoch = INT64_MAX};

	if (w->get)
		return get(w, p, e);
	if (w->put)
		return put(w, p, e);
	if (w->stat)
		return tell(w, p, e);
	if (w->changes)
		return list_changes(w, p, e);
	return w->layer ? layer(w, p, e) : pack(p, p->root, NULL, NULL, &whole, e);
}
