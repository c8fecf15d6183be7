/* SPDX-License-Identifier: Apache-2.0 */
#include "review/scan.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/erofs.h"
#include "fmt/limits.h"
#include "fmt/passwd.h"
#include "fmt/pkgdb.h"
#include "fmt/secret.h"
#include "review/content.h"
#include "review/packages.h"
#include "spec/review.h"
#include "unpack/merge.h"
#include "unpack/tree.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>

#define ACCOUNTS_MAX (1u << 20)

/* Notes in tree_inode.plan, which no writer uses here. */
enum { SEEN = 1, COUNTED = 2, SCANNED = 4 };

/* A regular file that some layer above took away. */
struct hidden {
	struct hidden *next;
	const char *path;
	struct tree_inode *in;
};

struct scan {
	struct arena *a;
	struct review *out;
	const struct scan_opts *opts;
	struct content content;
	struct packages packages;
	struct hidden *hidden, **hidden_end;
	size_t findings_room, files_room;
	char path[LIMIT_PATH + LIMIT_NAME + 2];
	size_t len;
};

/* A path as it may be shown. */
static const char *shown(struct scan *s, const char *path)
{
	char *p = arena_dup(s->a, path);

	for (size_t i = 0; p[i]; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '?';
	return p;
}

static void finding(struct scan *s, const struct review_finding *f)
{
	struct review *o = s->out;
	struct review_finding *grown;

	if (o->findings.n >= REVIEW_FINDINGS) {
		o->cut = true;
		return;
	}
	if (o->findings.n == s->findings_room) {
		s->findings_room = s->findings_room ? s->findings_room * 2 : 64;
		grown = arena_array(s->a, s->findings_room, sizeof(*grown));
		if (o->findings.n)
			memcpy(grown, o->findings.v, o->findings.n * sizeof(*grown));
		o->findings.v = grown;
	}
	o->findings.v[o->findings.n++] = *f;
}

static void tell(struct scan *s, int kind, const struct tree_inode *in, const char *detail)
{
	finding(s, &(struct review_finding){.kind = kind,
					    .path = shown(s, s->path),
					    .detail = detail,
					    .layer = in->layer + 1});
}

/* ---- attributes ---- */

/* "cap_net_raw (effective)".  Source: linux/capability.h, struct vfs_cap_data. */
static const char *capabilities(struct scan *s, const struct tree_xattr *x)
{
	uint32_t w[5] = {0};
	const char *text = "";
	uint64_t set;

	if (x->len < 12)
		return "malformed";
	memcpy(w, x->value, x->len < 20 ? x->len : 20);
	set = le32toh(w[1]) | (x->len >= 20 ? (uint64_t)le32toh(w[3]) << 32 : 0);
	for (int i = 0; i < 64; i++) {
		char *name = set >> i & 1 ? cap_to_name(i) : NULL;

		if (name)
			text = arena_printf(s->a, "%s%s%s", text, *text ? "," : "", name);
		cap_free(name);
	}
	return arena_printf(s->a, "%s%s", text, le32toh(w[0]) & 1 ? " (effective)" : "");
}

static void attributes(struct scan *s, const struct tree_inode *in)
{
	const char *owner = arena_printf(s->a, "%04o %u:%u", in->mode & 07777, in->uid, in->gid);

	if (S_ISREG(in->mode) && in->mode & S_ISUID)
		tell(s, REVIEW_SETUID, in, owner);
	/* Without execution for the group, the bit means mandatory locking and gives nothing. */
	if (S_ISREG(in->mode) && in->mode & S_ISGID && in->mode & S_IXGRP)
		tell(s, REVIEW_SETGID, in, owner);
	if ((S_ISREG(in->mode) && in->mode & S_IWOTH) ||
	    (S_ISDIR(in->mode) && in->mode & S_IWOTH && !(in->mode & S_ISVTX)))
		tell(s, REVIEW_WORLD_WRITABLE, in, owner);
	if (S_ISCHR(in->mode) || S_ISBLK(in->mode))
		tell(s, REVIEW_DEVICE, in,
		     arena_printf(s->a, "%s %u:%u", S_ISCHR(in->mode) ? "character" : "block",
				  in->major, in->minor));
	for (const struct tree_xattr *x = in->xattrs; x; x = x->next)
		if (streq(x->name, "security.capability"))
			tell(s, REVIEW_CAPABILITIES, in, capabilities(s, x));
}

/* ---- secrets ---- */

struct secret_at {
	struct scan *s;
	const char *path;
	const struct tree_inode *in;
	bool hidden, program;
};

static void secret(void *arg, const char *what, size_t off)
{
	struct secret_at *at = arg;

	/* Crypto libraries carry keys to test themselves with: worth knowing, told apart. */
	if (at->program)
		what = arena_printf(at->s->a, "%s inside a program", what);
	finding(at->s, &(struct review_finding){.kind = REVIEW_SECRET,
						.path = shown(at->s, at->path),
						.detail = what,
						.layer = at->in->layer + 1,
						.hidden = at->hidden});
}

static void secrets(struct scan *s, const char *path, struct tree_inode *in, bool hidden)
{
	struct secret_at at = {.s = s, .path = path, .in = in, .hidden = hidden};
	const char *what = secret_path(path);
	const uint8_t *p;
	size_t len;

	if (!in->size)
		return;
	if (what) {
		secret(&at, what, 0);
		return;
	}
	if (in->plan & SCANNED)
		return;
	in->plan |= SCANNED;
	p = content_head(&s->content, in, SECRET_SCAN_MAX, &len);
	at.program = len > 4 && memcmp(p, "\177ELF", 4) == 0;
	secret_scan(p, len, secret, &at);
}

/* ---- what upper layers hide ---- */

static void hide(struct scan *s, const struct tree_node *node)
{
	struct hidden *h;
	size_t before = s->len;

	s->len += (size_t)snprintf(s->path + s->len, sizeof(s->path) - s->len, "%s%s",
				   s->len ? "/" : "", node->name);
	if (s->len >= sizeof(s->path))
		s->len = sizeof(s->path) - 1; /* shown cut; nothing opens it */
	if (S_ISREG(node->inode->mode)) {
		h = arena_alloc(s->a, sizeof(*h));
		*h = (struct hidden){NULL, arena_dup(s->a, s->path), node->inode};
		*s->hidden_end = h;
		s->hidden_end = &h->next;
	}
	for (const struct tree_node *c = node->children; c; c = c->next)
		hide(s, c);
	s->len = before;
	s->path[before] = '\0';
}

static void gone(void *arg, struct tree_node *node)
{
	struct scan *s = arg;
	char room[LIMIT_PATH + 1];
	const char *dir = tree_path(node->parent, room, sizeof(room));

	s->len = strlen(dir);
	memcpy(s->path, dir, s->len);
	s->path[s->len] = '\0';
	hide(s, node);
}

static void look_at_hidden(struct scan *s)
{
	for (struct hidden *h = s->hidden; h; h = h->next) {
		struct review_layer *l = &s->out->layers.v[h->in->layer];

		/* Another of its names may live on. */
		if (h->in->plan & (SEEN | COUNTED))
			continue;
		h->in->plan |= COUNTED;
		l->files++;
		l->bytes += h->in->size;
		l->wasted += h->in->size;
		secrets(s, h->path, h->in, true);
	}
}

/* ---- the walk ---- */

static void list_file(struct scan *s, const struct tree_inode *in)
{
	struct review *o = s->out;
	struct review_file *grown;

	if (o->files.n == s->files_room) {
		s->files_room = s->files_room ? s->files_room * 2 : 1024;
		grown = arena_array(s->a, s->files_room, sizeof(*grown));
		if (o->files.n)
			memcpy(grown, o->files.v, o->files.n * sizeof(*grown));
		o->files.v = grown;
	}
	o->files.v[o->files.n++] = (struct review_file){.path = shown(s, s->path),
							.size = in->size,
							.layer = in->layer + 1,
							.mode = in->mode & 07777,
							.uid = in->uid,
							.gid = in->gid};
}

static int regular(struct scan *s, struct tree_inode *in, struct err *e)
{
	struct review_layer *l = &s->out->layers.v[in->layer];

	if (!(in->plan & SEEN)) {
		in->plan |= SEEN;
		l->files++;
		l->bytes += in->size;
	}
	secrets(s, s->path, in, false);
	if (s->opts->files)
		list_file(s, in);
	return packages_look(&s->packages, &s->content, s->path, in, e);
}

static int walk(struct scan *s, struct tree *t, const struct tree_node *dir, struct err *e)
{
	struct tree_node **v = tree_sorted(t, dir);
	size_t before = s->len;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < dir->nchildren; i++) {
		struct tree_node *n = v[i];

		s->len = before + (size_t)snprintf(s->path + before, sizeof(s->path) - before,
						   "%s%s", before ? "/" : "", n->name);
		if (s->len > LIMIT_PATH)
			return err_set(e, ERR_LIMIT, "a path of more than %d bytes", LIMIT_PATH);
		attributes(s, n->inode);
		if (S_ISREG(n->inode->mode))
			r = regular(s, n->inode, e);
		else if (S_ISDIR(n->inode->mode))
			r = walk(s, t, n, e);
	}
	s->len = before;
	s->path[before] = '\0';
	return r;
}

/* ---- single files ---- */

/* The text of a regular file, NUL-terminated in a; NULL when there is none. */
static const char *text_of(struct scan *s, struct tree *t, const char *path)
{
	const struct tree_node *n = tree_walk(t, path);
	const uint8_t *p;
	size_t len;

	if (!n || !S_ISREG(n->inode->mode))
		return NULL;
	p = content_head(&s->content, n->inode, ACCOUNTS_MAX, &len);
	return arena_dupn(s->a, (const char *)p, len);
}

/* "name", "name:group", "1000", "1000:1000", "". */
static void look_up_user(struct scan *s, struct tree *t)
{
	const char *user = s->opts->user ? s->opts->user : "", *text;
	char *name = arena_dupn(s->a, user, strcspn(user, ":"));
	struct passwd_user found;

	if (!*name || passwd_id(name, strlen(name), &s->out->uid)) {
		s->out->uid_known = true;
		return;
	}
	text = text_of(s, t, "etc/passwd");
	if (text && passwd_find_user(text, name, 0, &found)) {
		s->out->uid = found.uid;
		s->out->uid_known = true;
	}
}

static void look_up_system(struct scan *s, struct tree *t)
{
	const char *text = text_of(s, t, "etc/os-release");

	if (!text)
		text = text_of(s, t, "usr/lib/os-release");
	if (!text)
		return;
	s->out->os_id = pkgdb_os_release(text, strlen(text), "ID", s->a);
	s->out->os_version = pkgdb_os_release(text, strlen(text), "VERSION_ID", s->a);
	s->out->os_name = pkgdb_os_release(text, strlen(text), "PRETTY_NAME", s->a);
}

static int lay_all(struct scan *s, const struct merge_layer *layers, size_t n, struct tree *t,
		   struct err *e)
{
	struct content_layer *v = arena_array(s->a, n, sizeof(*v));
	uint64_t base = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct merge_watch w = {.layer = (uint32_t)i, .gone = gone, .arg = s};

		v[i] = (struct content_layer){layers[i].p, layers[i].len, base};
		r = merge_lay(t, &layers[i], base, &w, e);
		if (r < 0)
			err_wrap(e, r, "layer %zu", i + 1);
		base += layers[i].len / EROFS_BLOCK;
	}
	s->content = (struct content){.layers = v, .n = n};
	s->path[s->len = 0] = '\0';
	return r;
}

int scan_run(const struct merge_layer *layers, size_t n, const struct scan_opts *o, struct arena *a,
	     struct review *out, struct err *e)
{
	auto_tree struct tree t = {0};
	struct scan *s = arena_alloc(a, sizeof(*s));
	int r;

	*out = (struct review){0};
	*s = (struct scan){.a = a, .out = out, .opts = o, .packages = {.arena = a, .out = out}};
	s->hidden_end = &s->hidden;
	out->layers.v = arena_array(a, n, sizeof(*out->layers.v));
	out->layers.n = n;
	tree_init(&t, NULL);
	r = lay_all(s, layers, n, &t, e);
	if (r >= 0)
		r = walk(s, &t, &t.root, e);
	if (r >= 0) {
		look_at_hidden(s);
		look_up_user(s, &t);
		look_up_system(s, &t);
	}
	content_done(&s->content);
	return r;
}
