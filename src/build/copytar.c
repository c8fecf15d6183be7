/* SPDX-License-Identifier: Apache-2.0 */
#include "build/copytar.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "build/copyplan.h"
#include "fmt/limits.h"
#include "fmt/tarwrite.h"
#include "sys/fd.h"
#include "sys/inodes.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define CHUNK	   (256 << 10)
#define HEADER_MAX (1 << 20) /* names, targets and attributes of one entry */

struct writer {
	const struct copyplan *p;
	int64_t epoch;
	int fd;
	struct buf header;
	struct inodes links;
	struct filefind_reader reader;
	struct err *e;
	size_t used; /* of chunk: small files leave in large writes */
	char chunk[CHUNK];
};

static int flush(struct writer *w)
{
	int r = fd_write_all(w->fd, w->chunk, w->used);

	w->used = 0;
	if (r == -EPIPE)
		return r;
	errno = -r;
	return r < 0 ? err_sys(w->e, "write the layer") : 0;
}

static int put(struct writer *w, const void *data, size_t len)
{
	const char *from = data;

	while (len) {
		size_t n = sizeof(w->chunk) - w->used;
		int r;

		n = n < len ? n : len;
		memcpy(w->chunk + w->used, from, n);
		w->used += n;
		from += n;
		len -= n;
		r = w->used == sizeof(w->chunk) ? flush(w) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int put_header(struct writer *w, const struct tarwrite_entry *t)
{
	int r;

	w->header.len = 0;
	r = tarwrite_header(t, &w->header, w->e);
	if (r >= 0)
		r = buf_fail(&w->header, "the entry's header", w->e);
	return r < 0 ? err_wrap(w->e, r, "'%s'", t->name) : put(w, w->header.p, w->header.len);
}

static int64_t clamp(const struct writer *w, int64_t t)
{
	return t > w->epoch ? w->epoch : t;
}

/* ---- attributes ---- */

struct xattrs {
	struct arena a;
	struct tarwrite_xattr *v;
	size_t n;
};

static int keep_xattr(void *ctx, const char *name, const void *v, size_t n)
{
	struct xattrs *x = ctx;
	char *value = arena_alloc(&x->a, n + 1);

	if (x->n == LIMIT_XATTRS)
		return -E2BIG;
	if (!x->v)
		x->v = arena_array(&x->a, LIMIT_XATTRS, sizeof(*x->v));
	memcpy(value, v, n);
	x->v[x->n++] =
	    (struct tarwrite_xattr){.name = arena_dup(&x->a, name), .value = value, .len = n};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tarwrite_xattr *)a)->name,
		      ((const struct tarwrite_xattr *)b)->name);
}

static int read_xattrs(struct writer *w, int fd, bool acls, struct xattrs *x,
		       struct tarwrite_entry *t)
{
	if (filefind_each_xattr(fd, acls, keep_xattr, x) < 0)
		return err_set(w->e, ERR_LIMIT, "'%s' has more than %d attributes", t->name,
			       LIMIT_XATTRS);
	if (x->n)
		qsort(x->v, x->n, sizeof(*x->v), by_name);
	t->xattrs = x->v;
	t->nxattrs = x->n;
	return 0;
}

/* ---- one entry of each kind ---- */

static struct tarwrite_entry entry_of(const struct writer *w, const struct copyplan_entry *x,
				      int type)
{
	const struct copyplan_dest *d = w->p->d;
	const struct stat *st = &x->item->st;
	bool own = x->root->owners && x->kind == COPYPLAN_FILE, kept = own && x->root->archive;
	bool mode = d->mode_set && !kept && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
	bool given = d->owner_set && !kept;
	struct tarwrite_entry t = {
	    .type = type,
	    .name = x->path,
	    .uid = given ? d->uid
		   : own ? st->st_uid
			 : 0,
	    .gid = given ? d->gid
		   : own ? st->st_gid
			 : 0,
	    .mtime = clamp(w, x->root->time ? x->root->time : st->st_mtim.tv_sec)};

	t.mode = x->kind == COPYPLAN_MADE ? 0755 : mode ? d->mode : st->st_mode & 07777;
	return t;
}

static int put_content(struct writer *w, int fd, const struct copyplan_entry *x)
{
	uint64_t left = (uint64_t)x->item->st.st_size;
	int r = 0;

	while (r >= 0 && left) {
		size_t room = sizeof(w->chunk) - w->used;
		ssize_t n = read(fd, w->chunk + w->used, left < room ? (size_t)left : room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(w->e, "'%s' in %s", x->item->from, x->root->name);
		if (n == 0)
			return filefind_changed(x->root, x->item, w->e);
		w->used += (size_t)n;
		left -= (uint64_t)n;
		r = w->used == sizeof(w->chunk) ? flush(w) : 0;
	}
	if (r < 0)
		return r;
	w->header.len = 0;
	tarwrite_pad((uint64_t)x->item->st.st_size, &w->header);
	return put(w, w->header.p, w->header.len);
}

/* The second name of a file becomes a link to the first. */
static int put_file(struct writer *w, const struct copyplan_entry *x)
{
	struct tarwrite_entry t = entry_of(w, x, TARWRITE_FILE);
	struct xattrs xattrs = {.a = ARENA_INIT};
	auto_fd int fd = -1;
	int r;

	t.link = inodes_before(&w->links, &x->item->st, x->path);
	if (t.link) {
		t.type = TARWRITE_HARDLINK;
		return put_header(w, &t);
	}
	fd = filefind_read(&w->reader, x->root, x->item, w->e);
	if (fd < 0)
		return fd;
	t.size = (uint64_t)x->item->st.st_size;
	r = read_xattrs(w, fd, false, &xattrs, &t);
	if (r >= 0)
		r = put_header(w, &t);
	arena_free(&xattrs.a);
	return r < 0 ? r : put_content(w, fd, x);
}

static int put_link(struct writer *w, const struct copyplan_entry *x)
{
	struct tarwrite_entry t = entry_of(w, x, TARWRITE_SYMLINK);
	char target[LIMIT_LINK + 2];
	ssize_t n = filefind_link(x->root, x->item, target, sizeof(target), w->e);

	t.link = target;
	return n < 0 ? (int)n : put_header(w, &t);
}

static int put_special(struct writer *w, const struct copyplan_entry *x)
{
	const struct stat *st = &x->item->st;
	struct tarwrite_entry t = entry_of(w, x, TARWRITE_FIFO);

	if (S_ISFIFO(st->st_mode))
		return put_header(w, &t);
	/* The device 0:0 is how an overlay says that a file is gone. */
	if (S_ISCHR(st->st_mode) && !st->st_rdev)
		return err_set(w->e, ERR_UNSUPPORTED, "'%s' in %s means a removal in a layer",
			       x->item->from, x->root->name);
	t.type = S_ISCHR(st->st_mode) ? TARWRITE_CHAR : TARWRITE_BLOCKDEV;
	t.major = major(st->st_rdev);
	t.minor = minor(st->st_rdev);
	return put_header(w, &t);
}

/* A directory of the root, as it is there. */
static int put_there(struct writer *w, const struct copyplan_entry *x)
{
	auto_fd int fd =
	    path_open(w->p->d->root_fd, x->path, O_RDONLY | O_DIRECTORY, 0, PATH_NO_LINKS);
	struct tarwrite_entry t = {.type = TARWRITE_DIR, .name = x->path};
	struct xattrs xattrs = {.a = ARENA_INIT};
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		errno = fd < 0 ? -fd : errno;
		return err_sys(w->e, "'/%s' in the image", x->path);
	}
	t.mode = st.st_mode & 07777;
	t.uid = st.st_uid;
	t.gid = st.st_gid;
	t.mtime = clamp(w, st.st_mtim.tv_sec);
	r = read_xattrs(w, fd, true, &xattrs, &t);
	if (r >= 0)
		r = put_header(w, &t);
	arena_free(&xattrs.a);
	return r;
}

static int put_entry(struct writer *w, const struct copyplan_entry *x)
{
	struct tarwrite_entry t;

	if (x->kind == COPYPLAN_THERE)
		return put_there(w, x);
	if (x->kind == COPYPLAN_MADE || S_ISDIR(x->item->st.st_mode)) {
		t = entry_of(w, x, TARWRITE_DIR);
		return put_header(w, &t);
	}
	if (S_ISREG(x->item->st.st_mode))
		return put_file(w, x);
	return S_ISLNK(x->item->st.st_mode) ? put_link(w, x) : put_special(w, x);
}

int copytar_write(const struct copyplan *p, int64_t epoch, int fd, struct err *e)
{
	auto_free struct writer *w = malloc(sizeof(*w));
	int r = 0;

	if (!w)
		abort();
	w->p = p;
	w->epoch = epoch;
	w->fd = fd;
	w->e = e;
	w->used = 0;
	w->header = BUF_INIT(HEADER_MAX);
	w->links = (struct inodes){0};
	w->reader = FILEFIND_READER_INIT;
	for (size_t i = 0; r >= 0 && i < p->n; i++)
		r = put_entry(w, &p->v[i]);
	if (r >= 0) {
		w->header.len = 0;
		tarwrite_end(&w->header);
		r = put(w, w->header.p, w->header.len);
	}
	if (r >= 0)
		r = flush(w);
	filefind_reader_done(&w->reader);
	inodes_free(&w->links);
	buf_free(&w->header);
	return r;
}
