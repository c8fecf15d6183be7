/* SPDX-License-Identifier: Apache-2.0 */
#include "files/packtree.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/limits.h"
#include "fmt/tarwrite.h"
#include "sys/fusemarks.h"
#include "sys/inodes.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK	   (256 << 10)
#define HEADER_MAX (1 << 20) /* names, targets and attributes of one entry */

struct pack {
	const struct packtree_opts *o;
	const struct packtree_sink *to;
	struct packtree_stats *stats;
	struct inodes links;
	struct buf path; /* of what is being written, without '/' at its end */
	struct buf header;
	char *chunk;
	struct err *e;
};

/* One name of a directory, as lstat sees it. */
struct item {
	int dir_fd;
	const char *name;
	struct stat st;
};

static int put(struct pack *p, const struct tarwrite_entry *t)
{
	int r;

	p->header.len = 0;
	r = tarwrite_header(t, &p->header, p->e);
	if (r >= 0)
		r = buf_fail(&p->header, "the entry's header", p->e);
	if (r >= 0)
		r = p->to->write(p->to->arg, p->header.p, p->header.len, p->e);
	p->stats->entries++;
	return r < 0 ? err_wrap(p->e, r, "'%s'", p->path.p) : 0;
}

static int pad(struct pack *p, uint64_t size)
{
	p->header.len = 0;
	tarwrite_pad(size, &p->header);
	return p->to->write(p->to->arg, p->header.p, p->header.len, p->e);
}

static int64_t clamp(const struct pack *p, int64_t mtime)
{
	return mtime > p->o->epoch ? p->o->epoch : mtime;
}

/* ---- extended attributes ---- */

static const char *overlay_prefix(const struct pack *p)
{
	return p->o->user_marks ? "user.overlay." : "trusted.overlay.";
}

/* What belongs to the file and not to the host it lies on (security.selinux, security.ima) or to
 * overlayfs. */
static bool wanted(const struct pack *p, const char *name)
{
	if (p->o->fuse_marks ? fusemarks_xattr(name)
			     : p->o->overlay && str_after(name, overlay_prefix(p)))
		return false;
	return str_after(name, "user.") || streq(name, "security.capability") ||
	       str_after(name, "system.posix_acl_");
}

/* The list or the value of an attribute: by descriptor where there is one, else by name in the
 * working directory, which is the item's. */
static ssize_t list_xattrs(int fd, const char *name, char *out, size_t size)
{
	return fd >= 0 ? flistxattr(fd, out, size) : llistxattr(name, out, size);
}

static ssize_t get_xattr(int fd, const char *name, const char *key, void *out, size_t size)
{
	return fd >= 0 ? fgetxattr(fd, key, out, size) : lgetxattr(name, key, out, size);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tarwrite_xattr *)a)->name,
		      ((const struct tarwrite_xattr *)b)->name);
}

static int read_xattr(struct pack *p, int fd, const char *name, const char *key, struct arena *a,
		      struct tarwrite_xattr *out)
{
	char *value = arena_alloc(a, LIMIT_XATTR_VALUE + 1);
	ssize_t n = get_xattr(fd, name, key, value, LIMIT_XATTR_VALUE);

	if (n < 0)
		return err_sys(p->e, "'%s': attribute %s", p->path.p, key);
	*out = (struct tarwrite_xattr){.name = key, .value = value, .len = (size_t)n};
	return 0;
}

static int read_xattrs(struct pack *p, int fd, const char *name, struct arena *a,
		       struct tarwrite_entry *t)
{
	char *list = arena_alloc(a, LIMIT_XATTR_TOTAL);
	ssize_t len = list_xattrs(fd, name, list, LIMIT_XATTR_TOTAL);
	struct tarwrite_xattr *v;
	int r = 0;

	if (len < 0 && (errno == ENOTSUP || errno == ENOSYS))
		return 0;
	if (len < 0)
		return err_sys(p->e, "'%s': its attributes", p->path.p);
	if (len == 0)
		return 0;
	v = arena_array(a, LIMIT_XATTRS, sizeof(*v));
	for (const char *k = list; r >= 0 && k < list + len; k += strlen(k) + 1) {
		if (!wanted(p, k))
			continue;
		if (t->nxattrs == LIMIT_XATTRS)
			return err_set(p->e, ERR_LIMIT, "'%s' has more than %d attributes",
				       p->path.p, LIMIT_XATTRS);
		r = read_xattr(p, fd, name, k, a, &v[t->nxattrs]);
		t->nxattrs++;
	}
	qsort(v, t->nxattrs, sizeof(*v), by_name);
	t->xattrs = v;
	return r;
}

static bool has_mark(const struct pack *p, int fd, const char *mark)
{
	char key[64], value[8];
	int n = snprintf(key, sizeof(key), "%s%s", overlay_prefix(p), mark);

	return p->o->overlay && n < (int)sizeof(key) &&
	       fgetxattr(fd, key, value, sizeof(value)) >= 0;
}

/* What our mounts forbid (redirect_dir, metacopy), and no layer can say. */
static int check_marks(struct pack *p, int fd)
{
	static const char *const marks[] = {"redirect", "metacopy"};

	for (size_t i = 0; i < 2; i++)
		if (has_mark(p, fd, marks[i]))
			return err_set(p->e, ERR_UNSUPPORTED,
				       "'%s' only points at another layer's file (overlay %s)",
				       p->path.p, marks[i]);
	return 0;
}

/* ---- one entry of each kind ---- */

static struct tarwrite_entry entry_of(const struct pack *p, const struct item *it, int type)
{
	return (struct tarwrite_entry){
	    .type = type,
	    .name = p->path.p,
	    .mode = it->st.st_mode & 07777,
	    .uid = p->o->owner_root ? 0 : it->st.st_uid,
	    .gid = p->o->owner_root ? 0 : it->st.st_gid,
	    .mtime = clamp(p, it->st.st_mtim.tv_sec),
	};
}

static int changed(struct pack *p)
{
	return err_set(p->e, ERR_CONFLICT, "'%s' changed while it was read", p->path.p);
}

static int copy_content(struct pack *p, int fd, uint64_t size)
{
	uint64_t left = size;

	while (left) {
		ssize_t n = read(fd, p->chunk, left < CHUNK ? (size_t)left : CHUNK);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(p->e, "'%s'", p->path.p);
		if (n == 0)
			return changed(p);
		r = p->to->write(p->to->arg, p->chunk, (size_t)n, p->e);
		if (r < 0)
			return r;
		left -= (uint64_t)n;
	}
	p->stats->bytes += size;
	return pad(p, size);
}

/* Opened, what lstat saw may be something else by now. */
static int open_same(struct pack *p, const struct item *it, int flags)
{
	auto_fd int fd =
	    openat(it->dir_fd, it->name, flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR))
		return changed(p);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(p->e, "'%s'", p->path.p);
	if (st.st_ino != it->st.st_ino || st.st_dev != it->st.st_dev ||
	    (st.st_mode & S_IFMT) != (it->st.st_mode & S_IFMT))
		return changed(p);
	return take_fd(&fd);
}

static int pack_file(struct pack *p, const struct item *it)
{
	auto_arena struct arena a = ARENA_INIT;
	struct tarwrite_entry t = entry_of(p, it, TARWRITE_FILE);
	const char *before = inodes_before(&p->links, &it->st, p->path.p);
	auto_fd int fd = -1;
	int r;

	if (before) {
		t.type = TARWRITE_HARDLINK;
		t.link = before;
		return put(p, &t);
	}
	fd = open_same(p, it, 0);
	if (fd < 0)
		return fd;
	t.size = (uint64_t)it->st.st_size;
	r = check_marks(p, fd);
	if (r >= 0)
		r = read_xattrs(p, fd, NULL, &a, &t);
	if (r >= 0)
		r = put(p, &t);
	return r < 0 ? r : copy_content(p, fd, t.size);
}

static int pack_symlink(struct pack *p, const struct item *it)
{
	auto_arena struct arena a = ARENA_INIT;
	struct tarwrite_entry t = entry_of(p, it, TARWRITE_SYMLINK);
	char target[LIMIT_LINK + 2];
	ssize_t n = readlinkat(it->dir_fd, it->name, target, sizeof(target) - 1);
	int r;

	if (n < 0)
		return err_sys(p->e, "'%s'", p->path.p);
	target[n] = 0;
	t.link = target;
	r = read_xattrs(p, -1, it->name, &a, &t);
	return r < 0 ? r : put(p, &t);
}

/* ".wh.NAME" in the place of what an overlay took away. */
static int pack_whiteout(struct pack *p, const struct item *it, const char *gone)
{
	struct tarwrite_entry t = entry_of(p, it, TARWRITE_FILE);
	size_t dir = p->path.len - strlen(it->name);
	auto_buf struct buf name = BUF_INIT(LIMIT_PATH + 16);

	buf_add(&name, p->path.p, dir);
	buf_printf(&name, ".wh.%s", gone);
	t.name = name.p;
	t.mode = 0;
	return put(p, &t);
}

static int pack_special(struct pack *p, const struct item *it)
{
	auto_arena struct arena a = ARENA_INIT;
	struct tarwrite_entry t = entry_of(p, it, TARWRITE_FIFO);
	int r;

	if (S_ISCHR(it->st.st_mode) && p->o->overlay && it->st.st_rdev == 0)
		return pack_whiteout(p, it, it->name);
	if (S_ISCHR(it->st.st_mode) || S_ISBLK(it->st.st_mode)) {
		t.type = S_ISCHR(it->st.st_mode) ? TARWRITE_CHAR : TARWRITE_BLOCKDEV;
		t.major = major(it->st.st_rdev);
		t.minor = minor(it->st.st_rdev);
	}
	r = read_xattrs(p, -1, it->name, &a, &t);
	return r < 0 ? r : put(p, &t);
}

/* ---- directories ---- */

static int pack_dir_content(struct pack *p, int fd, unsigned int depth);

static int pack_opaque(struct pack *p, const struct item *it)
{
	struct tarwrite_entry t = entry_of(p, it, TARWRITE_FILE);
	auto_buf struct buf name = BUF_INIT(LIMIT_PATH + 16);

	buf_printf(&name, "%s/.wh..wh..opq", p->path.p);
	t.name = name.p;
	t.mode = 0;
	return put(p, &t);
}

static int pack_dir(struct pack *p, const struct item *it, unsigned int depth)
{
	auto_arena struct arena a = ARENA_INIT;
	struct tarwrite_entry t = entry_of(p, it, TARWRITE_DIR);
	auto_fd int fd = open_same(p, it, O_DIRECTORY);
	int r;

	if (fd < 0)
		return fd;
	r = check_marks(p, fd);
	if (r >= 0)
		r = read_xattrs(p, fd, NULL, &a, &t);
	if (r >= 0)
		r = put(p, &t);
	if (r >= 0 && (p->o->fuse_marks ? fusemarks_opaque(fd) : has_mark(p, fd, "opaque")))
		r = pack_opaque(p, it);
	return r < 0 ? r : pack_dir_content(p, fd, depth + 1);
}

/* A place that the engine made for a mount of its own. */
static bool is_empty_place(const struct pack *p, const struct item *it)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs names = {0};
	bool listed = false;

	for (size_t i = 0; p->o->skip && i < p->o->skip->n; i++)
		listed |= streq(p->o->skip->v[i], p->path.p);
	if (!listed || (!S_ISDIR(it->st.st_mode) && !S_ISREG(it->st.st_mode)))
		return false;
	if (S_ISDIR(it->st.st_mode)) {
		auto_fd int fd =
		    openat(it->dir_fd, it->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (p->o->fuse_marks)
			return fd >= 0 && fusemarks_empty(fd, false);
		return fd >= 0 && path_names(fd, &a, &names) == 0 && names.n == 0;
	}
	return it->st.st_size == 0;
}

static int pack_item(struct pack *p, int dir_fd, const char *name, unsigned int depth)
{
	struct item it = {.dir_fd = dir_fd, .name = name};
	const char *gone = p->o->fuse_marks ? fusemarks_whiteout(name) : NULL;

	if (fstatat(dir_fd, name, &it.st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? changed(p) : err_sys(p->e, "'%s'", p->path.p);
	if (gone)
		return *gone ? pack_whiteout(p, &it, gone) : 0;
	if (str_after(name, ".wh."))
		return err_set(p->e, ERR_UNSUPPORTED,
			       "'%s': a name that begins with .wh. means a removal in a layer",
			       p->path.p);
	if (is_empty_place(p, &it))
		return 0;
	if (S_ISDIR(it.st.st_mode))
		return pack_dir(p, &it, depth);
	if (S_ISREG(it.st.st_mode))
		return pack_file(p, &it);
	if (S_ISSOCK(it.st.st_mode))
		return 0;
	/* Attributes of what cannot be opened are read by name from the working directory. */
	if (fchdir(dir_fd) < 0)
		return err_sys(p->e, "'%s'", p->path.p);
	return S_ISLNK(it.st.st_mode) ? pack_symlink(p, &it) : pack_special(p, &it);
}

static int pack_dir_content(struct pack *p, int fd, unsigned int depth)
{
	auto_arena struct arena a = ARENA_INIT;
	size_t len = p->path.len;
	struct strs names = {0};
	int r = 0;

	if (depth > LIMIT_DEPTH)
		return err_set(p->e, ERR_LIMIT, "'%.64s...': more than %d directories deep",
			       p->path.p, LIMIT_DEPTH);
	errno = -path_names(fd, &a, &names);
	if (errno)
		return err_sys(p->e, "'%s'", p->path.p);
	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		buf_printf(&p->path, "%s%s", len ? "/" : "", names.v[i]);
		r = buf_fail(&p->path, "a path", p->e);
		if (r >= 0)
			r = pack_item(p, fd, names.v[i], depth);
		if (r < 0)
			break;
		p->path.len = len;
		p->path.p[len] = 0;
	}
	return r;
}

/* All of it: a directory's content, or one name of it called `as`. */
static int write_tree(int dir_fd, const char *name, const char *as, const struct packtree_opts *o,
		      const struct packtree_sink *to, struct packtree_stats *stats, struct err *e)
{
	struct pack p = {.o = o,
			 .to = to,
			 .stats = stats,
			 .path = BUF_INIT(LIMIT_PATH),
			 .header = BUF_INIT(HEADER_MAX),
			 .chunk = malloc(CHUNK),
			 .e = e};
	int r;

	if (!p.chunk)
		abort();
	*stats = (struct packtree_stats){0};
	if (name) {
		buf_puts(&p.path, as);
		r = pack_item(&p, dir_fd, name, 0);
	} else {
		r = pack_dir_content(&p, dir_fd, 0);
	}
	if (r >= 0) {
		p.header.len = 0;
		tarwrite_end(&p.header);
		r = to->write(to->arg, p.header.p, p.header.len, e);
	}
	inodes_free(&p.links);
	buf_free(&p.path);
	buf_free(&p.header);
	free(p.chunk);
	return r;
}

int packtree_write(int dir_fd, const struct packtree_opts *o, const struct packtree_sink *to,
		   struct packtree_stats *stats, struct err *e)
{
	return write_tree(dir_fd, NULL, NULL, o, to, stats, e);
}

int packtree_item(int dir_fd, const char *name, const char *as, const struct packtree_opts *o,
		  const struct packtree_sink *to, struct packtree_stats *stats, struct err *e)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "'%s'", as);
	return write_tree(dir_fd, name, as, o, to, stats, e);
}
