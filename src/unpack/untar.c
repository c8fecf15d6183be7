/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/untar.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/erofs.h"
#include "fmt/limits.h"
#include "fmt/tar_name.h"
#include "unpack/sink.h"
#include "unpack/tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <endian.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>

struct untar {
	const struct untar_source *src;
	struct tree *t;
	const struct sink *sink;
	struct untar_stats *stats;
	struct archive *a;
	const uint8_t *piece; /* what the source gave last, and where in the tar it lies */
	uint64_t piece_at, piece_len;
	struct tar_name name, target;
	struct err src_err; /* why the source failed; libarchive's text would hide it */
};

void untar_prepare(void)
{
	/* C.UTF-8 is part of glibc 2.35 and of every older distribution that counts. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "en_US.UTF-8");
}

static la_ssize_t read_cb(struct archive *a, void *arg, const void **data)
{
	struct untar *u = arg;
	ssize_t n = u->src->next(u->src->arg, data, &u->src_err);

	if (n < 0) {
		archive_set_error(a, EIO, "the stream failed");
		return -1;
	}
	u->piece_at += u->piece_len;
	u->piece = *data;
	u->piece_len = (uint64_t)n;
	return n;
}

static int archive_failed(struct untar *u, const char *what, struct err *e)
{
	const char *why = archive_error_string(u->a);

	if (u->src_err.kind != ERR_NONE) {
		int r = err_set(e, (enum err_kind)u->src_err.kind, "%s", u->src_err.msg);

		if (e)
			e->sys = u->src_err.sys;
		return r;
	}
	return err_set(e, ERR_CORRUPT, "%s: %s", what, why ? why : "not a tar archive");
}

static uint32_t file_type(struct archive_entry *ae)
{
	switch (archive_entry_filetype(ae)) {
	case AE_IFREG:
		return S_IFREG;
	case AE_IFDIR:
		return S_IFDIR;
	case AE_IFLNK:
		return S_IFLNK;
	case AE_IFCHR:
		return S_IFCHR;
	case AE_IFBLK:
		return S_IFBLK;
	case AE_IFIFO:
		return S_IFIFO;
	default:
		return 0;
	}
}

static bool xattr_wanted(const char *name)
{
	const char *suffix;

	if (!erofs_xattr_index(name, &suffix) || str_after(name, "trusted.overlay.") ||
	    str_after(name, "user.overlay."))
		return false;
	/* An image has no say in the host's labels and signatures (selinux, ima, evm, apparmor). */
	return !str_after(name, "security.") || streq(name, "security.capability");
}

/* An ACL as the kernel reads it: version 2, then 8 bytes per entry (linux/posix_acl_xattr.h).  A
 * malformed one would make every look at the file fail with EIO or EINVAL later. */
static bool acl_well_formed(const uint8_t *p, size_t len)
{
	return len >= 4 && (len - 4) % 8 == 0 && p[0] == 2 && !p[1] && !p[2] && !p[3];
}

static int take_xattrs(struct untar *u, struct archive_entry *ae, struct tree_inode *in,
		       struct err *e)
{
	const char *name;
	const void *value;
	size_t len;
	int r;

	archive_entry_xattr_reset(ae);
	while (archive_entry_xattr_next(ae, &name, &value, &len) == ARCHIVE_OK) {
		if (!name || !xattr_wanted(name)) {
			u->stats->dropped_xattrs++;
			continue;
		}
		if (str_after(name, "system.") && !acl_well_formed(value, len))
			return err_set(e, ERR_CORRUPT, "malformed %s", name);
		r = tree_xattr_set(u->t, in, name, value, len, e);
		if (r < 0)
			return r;
	}
	return 0;
}

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

static int acl_order(const void *a, const void *b)
{
	const struct acl_entry *x = a, *y = b;
	uint16_t tx = le16toh(x->tag), ty = le16toh(y->tag);
	uint32_t ix = le32toh(x->id), iy = le32toh(y->id);

	if (tx != ty)
		return tx < ty ? -1 : 1;
	return ix < iy ? -1 : ix > iy;
}

/* The kernel's tag for libarchive's, in the order in which the kernel wants them. */
static uint16_t acl_tag(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return 0x01;
	case ARCHIVE_ENTRY_ACL_USER:
		return 0x02;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return 0x04;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return 0x08;
	case ARCHIVE_ENTRY_ACL_MASK:
		return 0x10;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return 0x20;
	default:
		return 0;
	}
}

/* ACLs that pax carries as text (SCHILY.acl.*) become the attribute that stands for them. */
static int take_acl(struct untar *u, struct archive_entry *ae, int type, const char *xattr,
		    struct tree_inode *in, struct err *e)
{
	int n = archive_entry_acl_reset(ae, type), perm, tag, id, kind;
	struct {
		uint32_t version;
		struct acl_entry v[1024];
	} acl = {.version = htole32(2)};
	const char *name;
	size_t used = 0;

	if (n <= 0)
		return 0;
	while (archive_entry_acl_next(ae, type, &kind, &perm, &tag, &id, &name) == ARCHIVE_OK) {
		bool named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;

		if (used == sizeof(acl.v) / sizeof(acl.v[0]))
			return err_set(e, ERR_LIMIT, "an ACL of more than %zu entries", used);
		/* A user by name only: no account file of ours says who that is. */
		if (!acl_tag(tag) || (named && id < 0)) {
			u->stats->dropped_xattrs++;
			return 0;
		}
		acl.v[used++] =
		    (struct acl_entry){htole16(acl_tag(tag)), htole16((uint16_t)(perm & 7)),
				       htole32(named ? (uint32_t)id : UINT32_MAX)};
	}
	if (!used)
		return 0;
	qsort(acl.v, used, sizeof(acl.v[0]), acl_order);
	return tree_xattr_set(u->t, in, xattr, &acl, 4 + used * sizeof(acl.v[0]), e);
}

static int take_attributes(struct untar *u, struct archive_entry *ae, struct tree_inode *in,
			   struct err *e)
{
	int64_t uid = archive_entry_uid(ae), gid = archive_entry_gid(ae);
	int r;

	/* (uid_t)-1 means "leave it" to chown(2); what does not fit must not wrap to root. */
	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return err_set(e, ERR_CORRUPT, "owner %lld:%lld is out of range", (long long)uid,
			       (long long)gid);
	in->uid = (uint32_t)uid;
	in->gid = (uint32_t)gid;
	in->mtime = archive_entry_mtime(ae);
	in->mtime_nsec = (uint32_t)archive_entry_mtime_nsec(ae);
	if (in->mtime_nsec >= 1000000000)
		in->mtime_nsec = 0;
	r = take_xattrs(u, ae, in, e);
	if (r < 0 || S_ISLNK(in->mode))
		return r;
	r = take_acl(u, ae, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", in, e);
	if (r < 0 || !S_ISDIR(in->mode))
		return r;
	return take_acl(u, ae, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", in, e);
}

/* The directory of path, made where it is missing; *base and *len are the last component. */
static int parent_of(struct untar *u, const char *path, struct tree_node **out, const char **base,
		     size_t *len, struct err *e)
{
	struct tree_node *dir = &u->t->root, *n;
	const char *rest = path, *comp;
	size_t clen = tar_name_next(&rest, &comp);
	int r;

	while (*rest) {
		n = tree_find(u->t, dir, comp, clen);
		if (n && n->whiteout) {
			/* .wh.a came first, now a/b: a is new here and hides the old one. */
			tree_remove(u->t, n);
			n = NULL;
			r = tree_add(u->t, dir, comp, clen, tree_inode_new(u->t, S_IFDIR | 0755),
				     &n, e);
			if (r < 0)
				return r;
			n->opaque = true;
		} else if (!n) {
			r = tree_add(u->t, dir, comp, clen, tree_inode_new(u->t, S_IFDIR | 0755),
				     &n, e);
			if (r < 0)
				return r;
		}
		if (!S_ISDIR(n->inode->mode))
			return err_set(e, ERR_CORRUPT, "'%.*s' on its path is %s, not a directory",
				       (int)clen, comp,
				       S_ISLNK(n->inode->mode) ? "a symbolic link" : "a file");
		dir = n;
		clen = tar_name_next(&rest, &comp);
	}
	*out = dir;
	*base = comp;
	*len = clen;
	return 0;
}

/* Put inode at the entry's name; what was there goes. */
static int put(struct untar *u, struct tree_inode *in, struct err *e)
{
	struct tree_node *dir, *old, *n;
	const char *base;
	bool hides = false;
	size_t len;
	int r = parent_of(u, u->name.path, &dir, &base, &len, e);

	if (r < 0)
		return r;
	old = tree_find(u->t, dir, base, len);
	if (old && S_ISDIR(in->mode) && S_ISDIR(old->inode->mode)) {
		in->nlink = old->inode->nlink;
		old->inode = in;
		return 0;
	}
	if (old && old->inode == in)
		return 0; /* a hard link to itself */
	if (old) {
		hides = old->whiteout;
		tree_remove(u->t, old);
	}
	r = tree_add(u->t, dir, base, len, in, &n, e);
	if (r >= 0)
		n->opaque = hides && S_ISDIR(in->mode);
	return r;
}

static int put_whiteout(struct untar *u, struct err *e)
{
	struct tree_node *dir, *n;
	const char *base;
	size_t len;
	int r = parent_of(u, u->name.path, &dir, &base, &len, e);

	if (r < 0)
		return r;
	n = tree_find(u->t, dir, base, len);
	if (n) {
		n->opaque = S_ISDIR(n->inode->mode);
		return 0;
	}
	r = tree_add(u->t, dir, base, len, tree_inode_new(u->t, S_IFCHR), &n, e);
	if (r >= 0)
		n->whiteout = true;
	return r;
}

static int put_opaque(struct untar *u, struct err *e)
{
	struct tree_node *dir;
	const char *base;
	size_t len = u->name.len;
	int r;

	/* As the parent of a name inside it the directory is made when it is missing. */
	if (len + 2 > LIMIT_PATH)
		return err_set(e, ERR_LIMIT, "a path of more than %d bytes", LIMIT_PATH);
	memcpy(u->name.path + len, len ? "/x" : "x", len ? 3 : 2);
	r = parent_of(u, u->name.path, &dir, &base, &len, e);
	if (r >= 0)
		dir->opaque = true;
	return r;
}

static int put_hardlink(struct untar *u, const char *target, struct err *e)
{
	struct tree_node *n;
	int r = tar_name_parse(target, strlen(target), &u->target, e);

	if (r < 0)
		return err_wrap(e, r, "hard link to '%.200s'", target);
	n = u->target.kind == TAR_NAME_ENTRY ? tree_walk(u->t, u->target.path) : NULL;
	if (!n || n->whiteout)
		return err_set(e, ERR_CORRUPT, "hard link to '%.200s', which is not in this layer",
			       target);
	if (S_ISDIR(n->inode->mode))
		return err_set(e, ERR_CORRUPT, "hard link to the directory '%.200s'", target);
	return put(u, n->inode, e);
}

static int sparse_runs(struct untar *u, struct archive_entry *ae, struct arena *arena,
		       struct sink_run **runs, size_t *nruns, struct err *e)
{
	int n = archive_entry_sparse_reset(ae);
	uint64_t end = 0, size = (uint64_t)archive_entry_size(ae);

	*nruns = 0;
	if (n <= 0)
		return 0;
	*runs = arena_array(arena, (size_t)n, sizeof(**runs));
	for (la_int64_t off, len; archive_entry_sparse_next(ae, &off, &len) == ARCHIVE_OK;) {
		if (off < 0 || len < 0 || (uint64_t)off < end || (uint64_t)off > size ||
		    (uint64_t)len > size - (uint64_t)off)
			return err_set(e, ERR_CORRUPT, "malformed sparse map");
		(*runs)[(*nruns)++] = (struct sink_run){(uint64_t)off, (uint64_t)len};
		end = (uint64_t)(off + len);
	}
	return 0;
}

static int put_file(struct untar *u, struct archive_entry *ae, struct tree_inode *in, struct err *e)
{
	auto_arena struct arena scratch = ARENA_INIT;
	struct sink_run *runs = NULL;
	uint64_t end = 0;
	const void *p;
	size_t nruns, len;
	la_int64_t off;
	int r;

	if (archive_entry_size(ae) < 0 || (uint64_t)archive_entry_size(ae) > LIMIT_FILE_BYTES)
		return err_set(e, ERR_LIMIT, "a file of more than %llu bytes",
			       (unsigned long long)LIMIT_FILE_BYTES);
	in->size = (uint64_t)archive_entry_size(ae);
	r = sparse_runs(u, ae, &scratch, &runs, &nruns, e);
	if (r >= 0)
		r = u->sink->begin(u->sink->arg, in, runs, nruns, e);
	while (r >= 0) {
		int ar = archive_read_data_block(u->a, &p, &len, &off);

		if (ar == ARCHIVE_EOF)
			break;
		if (ar < ARCHIVE_WARN)
			return archive_failed(u, "its data", e);
		if (len && (off < 0 || (uint64_t)off < end || (uint64_t)off > in->size ||
			    len > in->size - (uint64_t)off))
			return err_set(e, ERR_CORRUPT, "data outside of the file");
		if (len) {
			r = u->sink->data(u->sink->arg, p, len, (uint64_t)off, e);
			end = (uint64_t)off + len;
		}
	}
	if (r >= 0)
		r = u->sink->end(u->sink->arg, e);
	return r < 0 ? r : put(u, in, e);
}

static int put_special(struct untar *u, struct archive_entry *ae, struct tree_inode *in,
		       struct err *e)
{
	const char *link;

	if (S_ISLNK(in->mode)) {
		in->mode = S_IFLNK | 0777; /* Linux knows no other, whatever the tar says */
		link = archive_entry_symlink(ae);
		if (!link || !*link || strlen(link) > LIMIT_LINK)
			return err_set(e, ERR_CORRUPT, "a symbolic link without a usable target");
		in->size = strlen(link);
		in->link = tree_keep(u->t, link, in->size, e);
		if (!in->link)
			return -EOVERFLOW;
	} else if (!S_ISFIFO(in->mode)) {
		dev_t maj = archive_entry_rdevmajor(ae), min = archive_entry_rdevminor(ae);

		if (maj >= 1u << 12 || min >= 1u << 20)
			return err_set(e, ERR_CORRUPT, "device number %llu:%llu is out of range",
				       (unsigned long long)maj, (unsigned long long)min);
		in->major = (uint32_t)maj;
		in->minor = (uint32_t)min;
	}
	return put(u, in, e);
}

static int put_root(struct untar *u, struct archive_entry *ae, struct err *e)
{
	struct tree_inode *in;
	int r;

	if (archive_entry_hardlink(ae) || file_type(ae) != S_IFDIR)
		return err_set(e, ERR_CORRUPT, "the top of the layer is not a directory");
	in = tree_inode_new(u->t, S_IFDIR | (archive_entry_perm(ae) & 07777));
	r = take_attributes(u, ae, in, e);
	if (r >= 0)
		u->t->root.inode = in;
	return r;
}

static int put_entry(struct untar *u, struct archive_entry *ae, struct err *e)
{
	uint32_t type = file_type(ae);
	struct tree_inode *in;
	int r;

	/* libarchive gives neither link for a target it could not convert. */
	if (archive_entry_hardlink(ae))
		return put_hardlink(u, archive_entry_hardlink(ae), e);
	if (!type)
		return err_set(e, ERR_UNSUPPORTED, "a file type that Linux layers do not have");
	in = tree_inode_new(u->t, type | (archive_entry_perm(ae) & 07777));
	r = take_attributes(u, ae, in, e);
	if (r < 0)
		return r;
	if (S_ISREG(type))
		return put_file(u, ae, in, e);
	return S_ISDIR(type) ? put(u, in, e) : put_special(u, ae, in, e);
}

static int one_entry(struct untar *u, struct archive_entry *ae, struct err *e)
{
	const char *name = archive_entry_pathname(ae);
	int r;

	if (!name)
		/* libarchive refuses to guess; names that are plain bytes come through in the
		 * other header forms, and in pax with hdrcharset=BINARY. */
		return err_set(e, ERR_CORRUPT,
			       "entry %llu has no name, or one in a pax header that is not UTF-8",
			       (unsigned long long)u->stats->entries);
	r = tar_name_parse(name, strlen(name), &u->name, e);
	if (r >= 0) {
		switch (u->name.kind) {
		case TAR_NAME_ENTRY:
			r = put_entry(u, ae, e);
			break;
		case TAR_NAME_ROOT:
			r = put_root(u, ae, e);
			break;
		case TAR_NAME_WHITEOUT:
			r = put_whiteout(u, e);
			break;
		case TAR_NAME_OPAQUE:
			r = put_opaque(u, e);
			break;
		case TAR_NAME_META:
			u->stats->skipped++;
			break;
		}
	}
	return r < 0 ? err_wrap(e, r, "'%.200s'", name) : 0;
}

/* What libarchive has not consumed of the last piece must be padding. */
static int check_rest(struct untar *u, struct err *e)
{
	uint64_t at = (uint64_t)archive_filter_bytes(u->a, 0);

	if (at < u->piece_at || at > u->piece_at + u->piece_len)
		return 0;
	for (const uint8_t *p = u->piece + (at - u->piece_at); p < u->piece + u->piece_len; p++)
		if (*p)
			return err_set(e, ERR_CORRUPT, "bytes behind the end of the tar");
	return 0;
}

/* A link whose target libarchive could not convert looks like a file afterwards.  Names of owners
 * do not matter: the numbers count. */
static bool lost_name(const char *warning)
{
	return warning && strstr(warning, "can't be converted") && !str_after(warning, "Uname") &&
	       !str_after(warning, "Gname");
}

static int run(struct untar *u, struct err *e)
{
	struct archive_entry *ae;
	int r;

	archive_read_support_format_tar(u->a);
	archive_read_support_format_empty(u->a);
	archive_read_support_filter_none(u->a);
	if (archive_read_open(u->a, u, NULL, read_cb, NULL) != ARCHIVE_OK)
		return archive_failed(u, "tar", e);
	for (;;) {
		r = archive_read_next_header(u->a, &ae);
		if (r == ARCHIVE_EOF)
			break;
		/* A warning is an attribute that libarchive could not make sense of (an ACL in
		 * words, a time beyond time_t); name and data are good or one_entry() says no. */
		if (r < ARCHIVE_WARN)
			return archive_failed(u, "tar", e);
		if (r == ARCHIVE_WARN && lost_name(archive_error_string(u->a)))
			return archive_failed(u, "tar", e);
		if (u->stats->entries++ >= LIMIT_ENTRIES)
			return err_set(e, ERR_LIMIT, "more than %d entries in one layer",
				       LIMIT_ENTRIES);
		r = one_entry(u, ae, e);
		if (r < 0)
			return r;
	}
	/* An error of the stream right at a header looks like the end to libarchive. */
	if (u->src_err.kind != ERR_NONE)
		return archive_failed(u, "tar", e);
	return check_rest(u, e);
}

int untar_run(const struct untar_source *src, struct tree *t, const struct sink *sink,
	      struct untar_stats *stats, struct err *e)
{
	struct untar u = {.src = src, .t = t, .sink = sink, .stats = stats};
	int r;

	u.a = archive_read_new();
	if (!u.a)
		abort();
	r = run(&u, e);
	archive_read_free(u.a);
	return r;
}
