/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/untar.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/acl_text.h"
#include "fmt/erofs.h"
#include "fmt/limits.h"
#include "fmt/tar_name.h"
#include "unpack/sink.h"
#include "unpack/tree.h"

#include <errno.h>
#include <sys/stat.h>

#define LINKS_MAX 40 /* followed on one path, as the kernel does it */

struct untar {
	struct tree *t;
	const struct sink *sink;
	struct untar_stats *stats;
	struct tarread *tar;
	struct tar_name name, target;
};

static uint32_t file_type(const struct tarread_entry *te)
{
	static const uint32_t types[] = {
	    [TARREAD_FILE] = S_IFREG, [TARREAD_DIR] = S_IFDIR,	 [TARREAD_SYMLINK] = S_IFLNK,
	    [TARREAD_CHAR] = S_IFCHR, [TARREAD_BLOCK] = S_IFBLK, [TARREAD_FIFO] = S_IFIFO,
	};

	return types[te->type];
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

static int take_xattrs(struct untar *u, const struct tarread_entry *te, struct tree_inode *in,
		       struct err *e)
{
	for (size_t i = 0; i < te->nxattrs; i++) {
		const struct tarpax_xattr *x = &te->xattrs[i];
		int r;

		if (!xattr_wanted(x->name)) {
			u->stats->dropped_xattrs++;
			continue;
		}
		if (str_after(x->name, "system.") && !acl_well_formed(x->value, x->len))
			return err_set(e, ERR_CORRUPT, "malformed %s", x->name);
		r = tree_xattr_set(u->t, in, x->name, x->value, x->len, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ACLs that pax carries as text become the attribute that stands for them. */
static int take_acl(struct untar *u, struct tarpax_value text, const char *xattr,
		    struct tree_inode *in, struct err *e)
{
	uint8_t acl[ACL_TEXT_MAX];
	int n = text.p ? acl_text_parse(text.p, text.len, acl) : 0;

	if (n == -E2BIG)
		return err_set(e, ERR_LIMIT, "an ACL of more than %d entries", ACL_TEXT_ENTRIES);
	u->stats->dropped_xattrs += n < 0; /* nobody we know, or no ACL */
	return n > 0 ? tree_xattr_set(u->t, in, xattr, acl, (size_t)n, e) : 0;
}

static int take_attributes(struct untar *u, const struct tarread_entry *te, struct tree_inode *in,
			   struct err *e)
{
	int r;

	/* (uid_t)-1 means "leave it" to chown(2); what does not fit must not wrap to root. */
	if (te->uid < 0 || te->gid < 0 || te->uid >= UINT32_MAX || te->gid >= UINT32_MAX)
		return err_set(e, ERR_CORRUPT, "owner %lld:%lld is out of range",
			       (long long)te->uid, (long long)te->gid);
	in->uid = (uint32_t)te->uid;
	in->gid = (uint32_t)te->gid;
	in->mtime = te->mtime;
	in->mtime_nsec = te->mtime_nsec;
	u->stats->dropped_xattrs += te->ignored;
	r = take_xattrs(u, te, in, e);
	if (r < 0 || S_ISLNK(in->mode))
		return r;
	r = take_acl(u, te->acl_access, "system.posix_acl_access", in, e);
	if (r < 0 || !S_ISDIR(in->mode))
		return r;
	return take_acl(u, te->acl_default, "system.posix_acl_default", in, e);
}

/* ---- places ---- */

/* Which directory a path leads to: names that are links are followed inside the layer, as if its
 * top were "/", so that they cannot lead out.  `made` says whether what is missing is made (only
 * what the entry itself names; what a link names must be there). */
struct walk {
	struct untar *u;
	int links;
};

static int walk_link(struct walk *w, const struct tree_node *link, struct tree_node **dir,
		     struct err *e);

static int not_a_directory(const struct tree_node *n, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "'%.*s' on its path is a file, not a directory", (int)n->len,
		       n->name);
}

/* Make the directory comp; .wh.a came first, now a/b: a is new here and hides the old one. */
static int make_dir(struct untar *u, struct tree_node *dir, struct tree_node *old, const char *comp,
		    size_t len, struct tree_node **out, struct err *e)
{
	int r;

	if (old)
		tree_remove(u->t, old);
	r = tree_add(u->t, dir, comp, len, tree_inode_new(u->t, S_IFDIR | 0755), out, e);
	if (r >= 0)
		(*out)->opaque = old != NULL;
	return r;
}

/* One name down, or up, or through a link. */
static int step(struct walk *w, struct tree_node **dir, const char *comp, size_t len, bool make,
		struct err *e)
{
	struct tree_node *n;
	int r = 0;

	if (len == 2 && !memcmp(comp, "..", 2)) { /* of a link; tar_name lets none through */
		*dir = (*dir)->parent;
		return 0;
	}
	n = tree_find(w->u->t, *dir, comp, len);
	if (!n || n->whiteout) {
		if (!make)
			return err_set(e, ERR_CORRUPT,
				       "a symbolic link on its path leads to '%.*s', which is not "
				       "in this layer",
				       (int)len, comp);
		r = make_dir(w->u, *dir, n, comp, len, &n, e);
	} else if (S_ISLNK(n->inode->mode)) {
		return walk_link(w, n, dir, e);
	} else if (!S_ISDIR(n->inode->mode)) {
		return not_a_directory(n, e);
	}
	if (r >= 0)
		*dir = n;
	return r;
}

static int walk_link(struct walk *w, const struct tree_node *link, struct tree_node **dir,
		     struct err *e)
{
	const char *p = link->inode->link;

	if (++w->links > LINKS_MAX)
		return err_set(e, ERR_CORRUPT, "more than %d symbolic links on its path",
			       LINKS_MAX);
	if (*p == '/')
		*dir = &w->u->t->root;
	while (*p) {
		size_t len = strcspn(p, "/");
		int r = 0;

		if (len > LIMIT_NAME)
			return err_set(e, ERR_CORRUPT, "a symbolic link on its path leads nowhere");
		if (len && !(len == 1 && *p == '.'))
			r = step(w, dir, p, len, false, e);
		if (r < 0)
			return r;
		p += len + (p[len] == '/');
	}
	return 0;
}

/* The directory of path, made where it is missing; *base and *len are the last component. */
static int parent_of(struct untar *u, const char *path, struct tree_node **out, const char **base,
		     size_t *len, struct err *e)
{
	struct walk w = {.u = u};
	const char *rest = path, *comp;
	size_t clen = tar_name_next(&rest, &comp);

	*out = &u->t->root;
	while (*rest) {
		int r = step(&w, out, comp, clen, true, e);

		if (r < 0)
			return r;
		clen = tar_name_next(&rest, &comp);
	}
	*base = comp;
	*len = clen;
	return 0;
}

/* What stands at a path, its directories found through links, itself not; NULL when nothing does.
 */
static struct tree_node *find(struct untar *u, const char *path)
{
	struct walk w = {.u = u};
	struct tree_node *dir = &u->t->root;
	const char *rest = path, *comp;
	size_t len = tar_name_next(&rest, &comp);

	while (*rest) {
		if (step(&w, &dir, comp, len, false, NULL) < 0)
			return NULL;
		len = tar_name_next(&rest, &comp);
	}
	return tree_find(u->t, dir, comp, len);
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

static int put_hardlink(struct untar *u, const struct tarread_entry *te, struct err *e)
{
	struct tree_node *n;
	int r = tar_name_parse(te->link.p, te->link.len, &u->target, e);

	if (r < 0)
		return err_wrap(e, r, "hard link to '%.200s'", te->link.p);
	n = u->target.kind == TAR_NAME_ENTRY ? find(u, u->target.path) : NULL;
	if (!n || n->whiteout)
		return err_set(e, ERR_CORRUPT, "hard link to '%.200s', which is not in this layer",
			       te->link.p);
	if (S_ISDIR(n->inode->mode))
		return err_set(e, ERR_CORRUPT, "hard link to the directory '%.200s'", te->link.p);
	return put(u, n->inode, e);
}

static int put_file(struct untar *u, const struct tarread_entry *te, struct tree_inode *in,
		    struct err *e)
{
	uint64_t off;
	const void *p;
	size_t len;
	int r, more;

	if (te->size > LIMIT_FILE_BYTES)
		return err_set(e, ERR_LIMIT, "a file of more than %llu bytes",
			       (unsigned long long)LIMIT_FILE_BYTES);
	in->size = te->size;
	r = u->sink->begin(u->sink->arg, in, te->runs, te->nruns, e);
	while (r >= 0) {
		more = tarread_data(u->tar, &p, &len, &off, e);
		if (more <= 0) {
			r = more;
			break;
		}
		r = u->sink->data(u->sink->arg, p, len, off, e);
	}
	if (r >= 0)
		r = u->sink->end(u->sink->arg, e);
	return r < 0 ? r : put(u, in, e);
}

static int put_special(struct untar *u, const struct tarread_entry *te, struct tree_inode *in,
		       struct err *e)
{
	if (S_ISLNK(in->mode)) {
		in->mode = S_IFLNK | 0777; /* Linux knows no other, whatever the tar says */
		if (!te->link.len || te->link.len > LIMIT_LINK)
			return err_set(e, ERR_CORRUPT, "a symbolic link without a usable target");
		in->size = te->link.len;
		in->link = tree_keep(u->t, te->link.p, in->size, e);
		if (!in->link)
			return -EOVERFLOW;
	} else if (!S_ISFIFO(in->mode)) {
		if (te->major < 0 || te->major >= 1 << 12 || te->minor < 0 || te->minor >= 1 << 20)
			return err_set(e, ERR_CORRUPT, "device number %lld:%lld is out of range",
				       (long long)te->major, (long long)te->minor);
		in->major = (uint32_t)te->major;
		in->minor = (uint32_t)te->minor;
	}
	return put(u, in, e);
}

static int put_root(struct untar *u, const struct tarread_entry *te, struct err *e)
{
	struct tree_inode *in;
	int r;

	if (te->type != TARREAD_DIR)
		return err_set(e, ERR_CORRUPT, "the top of the layer is not a directory");
	in = tree_inode_new(u->t, S_IFDIR | te->mode);
	r = take_attributes(u, te, in, e);
	if (r >= 0)
		u->t->root.inode = in;
	return r;
}

static int put_entry(struct untar *u, const struct tarread_entry *te, struct err *e)
{
	struct tree_inode *in;
	int r;

	if (te->type == TARREAD_HARDLINK)
		return put_hardlink(u, te, e);
	in = tree_inode_new(u->t, file_type(te) | te->mode);
	r = take_attributes(u, te, in, e);
	if (r < 0)
		return r;
	if (te->type == TARREAD_FILE)
		return put_file(u, te, in, e);
	return te->type == TARREAD_DIR ? put(u, in, e) : put_special(u, te, in, e);
}

static int one_entry(struct untar *u, const struct tarread_entry *te, struct err *e)
{
	int r = tar_name_parse(te->name.p, te->name.len, &u->name, e);

	if (r >= 0) {
		switch (u->name.kind) {
		case TAR_NAME_ENTRY:
			r = put_entry(u, te, e);
			break;
		case TAR_NAME_ROOT:
			r = put_root(u, te, e);
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
	return r < 0 ? err_wrap(e, r, "'%.200s'", te->name.p) : 0;
}

int untar_run(const struct tarread_source *src, struct tree *t, const struct sink *sink,
	      struct untar_stats *stats, struct err *e)
{
	struct untar u = {.t = t, .sink = sink, .stats = stats, .tar = tarread_new(src)};
	struct tarread_entry te;
	int r;

	while ((r = tarread_next(u.tar, &te, e)) > 0) {
		if (stats->entries++ >= LIMIT_ENTRIES)
			r = err_set(e, ERR_LIMIT, "more than %d entries in one layer",
				    LIMIT_ENTRIES);
		else
			r = one_entry(&u, &te, e);
		if (r < 0)
			break;
	}
	tarread_free(u.tar);
	return r;
}
