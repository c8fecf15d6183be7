/* SPDX-License-Identifier: Apache-2.0 */
#include "files/copyin.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/limits.h"
#include "fmt/tar_name.h"
#include "fmt/tarread.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHUNK (256u << 10)

/* What is set on a directory when nothing goes into it any more. */
struct later {
	struct later *next;
	const char *path;
	struct stat st;
};

struct copyin {
	const struct copyin_opts *o;
	int in;
	int dir;	  /* where entries go */
	const char *name; /* what an item is called there; NULL: as in the archive */
	struct tarread *tar;
	struct arena a;
	struct later *later;
	bool top_seen, top_is_dir;
	bool wants_dir;	    /* the path ends with a slash and is not there */
	bool place_is_file; /* an item stands for something that is there and no directory */
	unsigned char *chunk;
	uint64_t bytes;
	struct tar_name tn;
	struct err *e;
};

static ssize_t next_piece(void *arg, const void **data, struct err *e)
{
	struct copyin *c = arg;
	ssize_t n = fd_read_full(c->in, c->chunk, CHUNK);

	*data = c->chunk;
	errno = n < 0 ? (int)-n : 0;
	return n < 0 ? err_sys(e, "cannot read the archive") : n;
}

static unsigned int how(const struct copyin *c)
{
	return c->o->links ? PATH_IN_ROOT : PATH_NO_LINKS;
}

/* ---- where to ---- */

/* 1: a directory, 0: something else, negative: -ENOENT or another errno. */
static int kind_of(int root, const char *path)
{
	auto_fd int fd = path_open(root, path, O_PATH, 0, PATH_IN_ROOT);
	struct stat st;

	if (fd < 0)
		return fd;
	return fstat(fd, &st) < 0 ? -errno : S_ISDIR(st.st_mode);
}

static int fail(struct copyin *c, int r, const char *path)
{
	errno = -r;
	return err_sys(c->e, "'%s'", path);
}

static int open_dir(struct copyin *c, int root, const char *path)
{
	c->dir = path_open(root, path, O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
	return c->dir < 0 ? fail(c, c->dir, path) : 0;
}

/* The directory above the place, and the place's own name in it. */
static int open_parent(struct copyin *c, int root, const char *path)
{
	char *copy = arena_dup(&c->a, path), *slash;
	size_t n = strlen(copy);

	/* A directory may be made under such a name, a file may not: check_top(). */
	c->wants_dir = n && copy[n - 1] == '/';
	while (n && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	c->name = slash ? slash + 1 : copy;
	if (streq(c->name, "..") || streq(c->name, "."))
		return err_set(c->e, ERR_NOT_FOUND, "'%s': no such directory", path);
	if (slash)
		*slash = '\0';
	return open_dir(c, root, slash ? (*copy ? copy : "/") : ".");
}

static int find_place(struct copyin *c, int root)
{
	const char *path = c->o->path;
	int kind = kind_of(root, path), r;

	if (kind < 0 && kind != -ENOENT)
		return fail(c, kind, path);
	if (kind == 1)
		return open_dir(c, root, path);
	if (kind == 0 && c->o->kind != COPYIN_ITEM)
		return err_set(c->e, ERR_CONFLICT, "'%s' is not a directory", path);
	if (c->o->kind == COPYIN_RAW)
		return fail(c, -ENOENT, path);
	r = open_parent(c, root, path);
	if (r < 0)
		return r;
	c->place_is_file = kind == 0;
	if (c->o->kind == COPYIN_ITEM)
		return 0;
	/* Contents: the directory takes the place's name and is made first. */
	if (mkdirat(c->dir, c->name, 0755) < 0)
		return fail(c, -errno, path);
	r = openat(c->dir, c->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r < 0)
		return fail(c, -errno, path);
	close(c->dir);
	c->dir = r;
	c->name = NULL;
	return 0;
}

/* ---- names ---- */

/* The entry's path below c->dir in tn->path, NULL for one that is left out. */
static int place_name(struct copyin *c, const char *name, size_t len, struct tar_name *tn,
		      const char **out)
{
	const char *rest;
	int r = tar_name_parse(name, len, tn, c->e);

	*out = NULL;
	if (r < 0)
		return r;
	if (tn->kind != TAR_NAME_ENTRY && tn->kind != TAR_NAME_ROOT)
		return err_set(c->e, ERR_UNSUPPORTED,
			       "'%s': a name that begins with .wh. is not copied", tn->path);
	if (c->o->kind == COPYIN_RAW) {
		*out = tn->kind == TAR_NAME_ROOT ? NULL : arena_dup(&c->a, tn->path);
		return 0;
	}
	rest = strchr(tn->path, '/');
	if (c->o->kind == COPYIN_CONTENTS)
		*out = rest ? arena_dup(&c->a, rest + 1) : NULL;
	else if (c->name)
		*out = arena_printf(&c->a, "%s%s", c->name, rest ? rest : "");
	else
		*out = arena_dup(&c->a, tn->path);
	return 0;
}

/* The directory that an entry goes into, made where it is missing; *base: its name there. */
static int parent_of(struct copyin *c, const char *path, const char **base)
{
	int fd = path_parent(c->dir, path, 0755, how(c), base);

	return fd < 0 ? fail(c, fd, path) : fd;
}

/* ---- what is there already ---- */

static int make_room(struct copyin *c, int dir, const char *base, const char *path)
{
	if (unlinkat(dir, base, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR || errno == EPERM) {
		struct stat st;

		if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return err_set(c->e, ERR_CONFLICT,
				       "'%s' is a directory, and not replaced by what is none",
				       path);
	}
	return fail(c, -errno, path);
}

/* ---- attributes ---- */

static mode_t mode_of(const struct copyin *c, const struct tarread_entry *t)
{
	/* Somebody else's setuid file must not become ours by being copied. */
	return t->mode & (c->o->archive ? 07777 : 01777);
}

static bool owner_of(const struct copyin *c, const struct tarread_entry *t, uid_t *uid, gid_t *gid)
{
	if (c->o->archive) {
		if (t->uid < 0 || t->uid >= UINT32_MAX || t->gid < 0 || t->gid >= UINT32_MAX)
			return false;
		*uid = (uid_t)t->uid;
		*gid = (gid_t)t->gid;
		return true;
	}
	*uid = 0;
	*gid = 0;
	return c->o->owner_root;
}

static int set_xattrs(struct copyin *c, const struct tarread_entry *t, int fd, const char *path)
{
	for (size_t i = 0; i < t->nxattrs; i++) {
		const char *n = t->xattrs[i].name;

		if (!str_after(n, "user.") && !(c->o->archive && streq(n, "security.capability")))
			continue;
		if (fsetxattr(fd, n, t->xattrs[i].value, t->xattrs[i].len, 0) < 0 &&
		    errno != ENOTSUP)
			return fail(c, -errno, path);
	}
	return 0;
}

/* Owner before mode: changing the owner clears setuid.  Capabilities go with the owner, too. */
static int set_all(struct copyin *c, const struct tarread_entry *t, int fd, const char *path)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {t->mtime, (long)t->mtime_nsec}};
	uid_t uid;
	gid_t gid;

	if (owner_of(c, t, &uid, &gid) && fchown(fd, uid, gid) < 0)
		return fail(c, -errno, path);
	if (fchmod(fd, mode_of(c, t)) < 0)
		return fail(c, -errno, path);
	if (set_xattrs(c, t, fd, path) < 0)
		return -EIO;
	return futimens(fd, times) < 0 ? fail(c, -errno, path) : 0;
}

/* ---- entries ---- */

static bool zeros(const unsigned char *p, size_t len)
{
	return len > 0 && *p == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static int put_data(struct copyin *c, const struct tarread_entry *t, int fd, const char *path)
{
	const void *p;
	uint64_t off;
	size_t len;
	int r;

	if (t->size && ftruncate(fd, (off_t)t->size) < 0)
		return fail(c, -errno, path);
	while ((r = tarread_data(c->tar, &p, &len, &off, c->e)) > 0) {
		c->bytes += len;
		if (zeros(p, len)) /* the file is new: holes are zeros already */
			continue;
		for (size_t done = 0; done < len;) {
			ssize_t n =
			    pwrite(fd, (const char *)p + done, len - done, (off_t)(off + done));

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return fail(c, n < 0 ? -errno : -EIO, path);
			done += (size_t)n;
		}
	}
	return r;
}

static int put_file(struct copyin *c, const struct tarread_entry *t, int dir, const char *base,
		    const char *path)
{
	auto_fd int fd = -1;
	int r;

	if (t->size > LIMIT_FILE_BYTES)
		return err_set(c->e, ERR_LIMIT, "'%.200s': a file of more than %llu bytes", path,
			       (unsigned long long)LIMIT_FILE_BYTES);
	r = make_room(c, dir, base, path);
	if (r < 0)
		return r;
	/* Exclusive: a link that appears under this name meanwhile is not followed. */
	fd = openat(dir, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(c, -errno, path);
	r = put_data(c, t, fd, path);
	return r < 0 ? r : set_all(c, t, fd, path);
}

static int put_dir(struct copyin *c, const struct tarread_entry *t, int dir, const char *base,
		   const char *path)
{
	struct later *l = arena_alloc(&c->a, sizeof(*l));
	struct stat st;

	if (mkdirat(dir, base, 0700) < 0) {
		if (errno != EEXIST)
			return fail(c, -errno, path);
		/* A link to a directory, where links are followed, stays what it is. */
		if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return fail(c, -errno, path);
		if (S_ISLNK(st.st_mode) && c->o->links && kind_of(c->dir, path) == 1)
			return 0;
		if (!S_ISDIR(st.st_mode))
			return err_set(c->e, ERR_CONFLICT,
				       "'%s' is no directory, and not replaced by one", path);
	}
	*l = (struct later){.next = c->later, .path = path};
	l->st.st_mode = mode_of(c, t);
	l->st.st_uid = l->st.st_gid = (uid_t)-1;
	owner_of(c, t, &l->st.st_uid, &l->st.st_gid);
	if (!c->o->archive && !c->o->owner_root)
		l->st.st_uid = l->st.st_gid = (uid_t)-1;
	l->st.st_mtim = (struct timespec){t->mtime, (long)t->mtime_nsec};
	c->later = l;
	return 0;
}

static int put_symlink(struct copyin *c, const struct tarread_entry *t, int dir, const char *base,
		       const char *path)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {t->mtime, (long)t->mtime_nsec}};
	uid_t uid;
	gid_t gid;
	int r = make_room(c, dir, base, path);

	if (r < 0)
		return r;
	if (symlinkat(t->link.p, dir, base) < 0)
		return fail(c, -errno, path);
	if (owner_of(c, t, &uid, &gid) && fchownat(dir, base, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(c, -errno, path);
	utimensat(dir, base, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int put_hardlink(struct copyin *c, const struct tarread_entry *t, int dir, const char *base,
			const char *path)
{
	const char *target, *there;
	auto_fd int from = -1;
	struct stat st;
	int r = place_name(c, t->link.p, t->link.len, &c->tn, &target);

	if (r < 0)
		return r;
	if (!target)
		return err_set(c->e, ERR_CORRUPT, "'%s' is a link to nothing", path);
	from = path_parent(c->dir, target, 0, how(c), &there);
	if (from < 0)
		return fail(c, from, target);
	if (fstatat(from, there, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(c, -errno, target);
	if (S_ISDIR(st.st_mode))
		return err_set(c->e, ERR_CORRUPT, "'%s' is a hard link to a directory", path);
	r = make_room(c, dir, base, path);
	if (r >= 0 && linkat(from, there, dir, base, 0) < 0)
		r = fail(c, -errno, path);
	return r;
}

static int put_special(struct copyin *c, const struct tarread_entry *t, int dir, const char *base,
		       const char *path)
{
	mode_t type = t->type == TARREAD_FIFO	? S_IFIFO
		      : t->type == TARREAD_CHAR ? S_IFCHR
						: S_IFBLK;
	uid_t uid;
	gid_t gid;
	int r;

	/* A device of a workload's choosing in a directory of ours would be a way out. */
	if (type != S_IFIFO && !c->o->archive)
		return 0;
	r = make_room(c, dir, base, path);
	if (r < 0)
		return r;
	if (mknodat(dir, base, type | (mode_of(c, t) & 0777),
		    makedev((unsigned int)t->major, (unsigned int)t->minor)) < 0)
		return fail(c, -errno, path);
	if (owner_of(c, t, &uid, &gid) && fchownat(dir, base, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(c, -errno, path);
	return 0;
}

/* The first entry of an item or of contents says what it is. */
static int check_top(struct copyin *c, const struct tarread_entry *t)
{
	if (c->top_seen || c->o->kind == COPYIN_RAW)
		return 0;
	c->top_seen = true;
	c->top_is_dir = t->type == TARREAD_DIR;
	if (c->o->kind == COPYIN_CONTENTS && !c->top_is_dir)
		return err_set(c->e, ERR_CONFLICT, "what is to be copied is not a directory");
	if (c->wants_dir && !c->top_is_dir)
		return err_set(c->e, ERR_NOT_FOUND, "'%s': no such directory", c->o->path);
	if (c->place_is_file && c->top_is_dir)
		return err_set(c->e, ERR_CONFLICT,
			       "'%s' is no directory, and a directory is to be copied", c->o->path);
	return 0;
}

static int put(struct copyin *c, const struct tarread_entry *t)
{
	const char *path, *base;
	auto_fd int dir = -1;
	int r = check_top(c, t);

	if (r >= 0)
		r = place_name(c, t->name.p, t->name.len, &c->tn, &path);
	if (r < 0 || !path)
		return r;
	dir = parent_of(c, path, &base);
	if (dir < 0)
		return dir;
	switch (t->type) {
	case TARREAD_FILE:
		return put_file(c, t, dir, base, path);
	case TARREAD_DIR:
		return put_dir(c, t, dir, base, path);
	case TARREAD_SYMLINK:
		return put_symlink(c, t, dir, base, path);
	case TARREAD_HARDLINK:
		return put_hardlink(c, t, dir, base, path);
	case TARREAD_CHAR:
	case TARREAD_BLOCK:
	case TARREAD_FIFO:
		return put_special(c, t, dir, base, path);
	}
	return 0;
}

/* Deepest last in the archive, first here: a directory's time is set when nothing in it changes any
 * more. */
static int finish_dirs(struct copyin *c)
{
	for (const struct later *l = c->later; l; l = l->next) {
		auto_fd int fd =
		    path_open(c->dir, l->path, O_RDONLY | O_DIRECTORY, 0, how(c) | PATH_NO_LINKS);
		struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, l->st.st_mtim};

		/* Taken away or replaced by whoever lives there: it is theirs. */
		if (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR)
			continue;
		if (fd < 0)
			return fail(c, fd, l->path);
		if (l->st.st_uid != (uid_t)-1 && fchown(fd, l->st.st_uid, l->st.st_gid) < 0)
			return fail(c, -errno, l->path);
		if (fchmod(fd, l->st.st_mode) < 0 || futimens(fd, times) < 0)
			return fail(c, -errno, l->path);
	}
	return 0;
}

int copyin_run(int root_fd, const struct copyin_opts *o, int fd, uint64_t *bytes, struct err *e)
{
	struct copyin *c = calloc(1, sizeof(*c));
	struct tarread_source src = {.next = next_piece, .arg = c};
	struct tarread_entry t;
	int r;

	if (!c)
		abort();
	*c = (struct copyin){.o = o, .in = fd, .dir = -1, .chunk = malloc(CHUNK), .e = e};
	if (!c->chunk)
		abort();
	umask(0);
	c->tar = tarread_new(&src);
	r = find_place(c, root_fd);
	while (r >= 0 && (r = tarread_next(c->tar, &t, e)) > 0)
		r = put(c, &t);
	if (r >= 0 && o->kind != COPYIN_RAW && !c->top_seen)
		r = err_set(e, ERR_CORRUPT, "the archive is empty");
	if (r >= 0)
		r = finish_dirs(c);
	if (r >= 0)
		*bytes = c->bytes;
	tarread_free(c->tar);
	fd_close(c->dir);
	free(c->chunk);
	arena_free(&c->a);
	free(c);
	return r < 0 ? r : 0;
}
