/* SPDX-License-Identifier: Apache-2.0 */
#include "store/audit.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/erofs_read.h"
#include "fmt/reference.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/image_record.h"
#include "store/rootfs.h"
#include "store/snapshot.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "store/treecmp.h"
#include "store/unpacker.h"
#include "store/verity.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PIECE (1u << 20)

struct audit {
	struct store *s;
	const struct audit_opts *o;
	bool repair;
	struct arena a;
	struct image_records images;
	struct strs bad_blobs, lost_layers; /* digests */
	struct audit_result res;
};

__attribute__((format(printf, 3, 4))) static void say(struct audit *t, int kind, const char *fmt,
						      ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	t->res.wrong += kind == AUDIT_WRONG;
	t->res.fixed += kind == AUDIT_FIXED;
	t->o->tell(kind, line, t->o->arg);
}

static bool listed(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

static const char *shown(struct audit *t, const struct image_record *r)
{
	return r->name ? reference_familiar(&t->a, r->name) : arena_printf(&t->a, "%.19s", r->id);
}

/* The first image that needs a blob or layer, for the message. */
static const char *owner(struct audit *t, const char *digest)
{
	for (size_t i = 0; i < t->images.n; i++) {
		const struct image_record *r = &t->images.v[i];

		if (streq(r->id, digest) || streq(r->manifest, digest) ||
		    (r->source && streq(r->source, digest)) || listed(&r->blobs, digest) ||
		    listed(&r->others, digest) || listed(&r->attests, digest) ||
		    listed(&r->layers, digest))
			return shown(t, r);
	}
	return NULL;
}

/* Names in a directory of the store. */
static int names(struct audit *t, const char *dir, struct strs *out, struct err *e)
{
	auto_fd int fd = store_dir(t->s, dir, e);

	if (fd < 0)
		return fd;
	errno = -path_names(fd, &t->a, out);
	return errno ? err_sys(e, "%s", dir) : 0;
}

/* ---- staging ---- */

static int leftovers(struct audit *t, struct err *e)
{
	auto_fd int tmp = store_dir(t->s, "tmp", e);
	struct strs l = {0};
	int r = tmp < 0 ? tmp : names(t, "tmp", &l, e);

	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		auto_fd int fd =
		    openat(tmp, l.v[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

		/* The lock goes with the descriptor; the next stage_new() removes it. */
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			say(t, AUDIT_NOTE, "tmp/%s: left by a command that was killed; removed",
			    l.v[i]);
	}
	return r;
}

/* ---- records ---- */

static void drop_record(struct audit *t, const char *file)
{
	auto_fd int lock = store_lock(t->s, STORE_EXCLUSIVE, NULL);
	auto_fd int dir = store_dir(t->s, "images", NULL);

	if (lock >= 0 && dir >= 0 && unlinkat(dir, file, 0) == 0 && fsync(dir) == 0)
		say(t, AUDIT_FIXED, "images/%s: removed", file);
}

static int records(struct audit *t, struct err *e)
{
	struct strs l = {0};
	int r = names(t, "images", &l, e);

	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		struct image_record rec;
		struct err why = ERR_INIT;

		if (l.v[i][0] == '.')
			continue;
		if (image_record_read(t->s, l.v[i], &t->a, &rec, &why) == -ENOENT)
			continue;
		if (why.kind == ERR_NONE && !streq(image_record_file(&rec, &t->a), l.v[i]))
			err_set(&why, ERR_CORRUPT, "it is about another name");
		if (why.kind == ERR_NONE)
			continue;
		say(t, AUDIT_WRONG, "images/%s: %s", l.v[i], why.msg);
		if (t->repair)
			drop_record(t, l.v[i]);
		else
			say(t, AUDIT_LOST, "images/%s: pull the image again", l.v[i]);
	}
	return r < 0 ? r : image_list(t->s, &t->a, &t->images, e);
}

/* ---- blobs ---- */

static int hash(struct audit *t, int fd, char out[DIGEST_LEN + 1])
{
	auto_free char *b = malloc(PIECE);
	struct sha256 h;
	unsigned char sum[32];
	ssize_t n;

	if (!b)
		abort();
	sha256_init(&h);
	while ((n = fd_read_full(fd, b, PIECE)) > 0) {
		sha256_add(&h, b, (size_t)n);
		t->res.bytes += (uint64_t)n;
	}
	sha256_done(&h, sum);
	digest_print(sum, out);
	return (int)n;
}

static void blob_is_wrong(struct audit *t, const char *digest, const char *why)
{
	const char *who = owner(t, digest);

	say(t, AUDIT_WRONG, "blob %s%s%s%s: %s", digest, who ? " (" : "", who ? who : "",
	    who ? ")" : "", why);
	arena_strs_add(&t->a, &t->bad_blobs, arena_dup(&t->a, digest));
	if (t->repair) {
		auto_fd int lock = store_lock(t->s, STORE_EXCLUSIVE, NULL);

		if (lock >= 0 && blob_remove(t->s, digest) == 0)
			say(t, AUDIT_FIXED, "blob %s: removed", digest);
	}
	if (who && !t->repair) /* a repair tries to bring it, and says so then */
		say(t, AUDIT_LOST, "blob %s: pull '%s' again", digest, who);
}

static int blobs(struct audit *t, struct err *e)
{
	struct strs l = {0};
	int r = names(t, "blobs/sha256", &l, e);

	for (size_t i = 0; r >= 0 && i < l.n; i++) {
		char digest[DIGEST_LEN + 1], have[DIGEST_LEN + 1];
		auto_fd int fd = -1;
		int n;

		snprintf(digest, sizeof(digest), "sha256:%.64s", l.v[i]);
		if (!digest_valid(digest) || strlen(l.v[i]) != DIGEST_HEX) {
			say(t, AUDIT_NOTE, "blobs/sha256/%.200s: not ours", l.v[i]);
			continue;
		}
		fd = blob_open(t->s, digest, NULL);
		if (fd < 0) /* collected since */
			continue;
		t->res.blobs++;
		n = hash(t, fd, have);
		if (n < 0)
			blob_is_wrong(t, digest, strerrordesc_np(-n));
		else if (!streq(have, digest))
			blob_is_wrong(t, digest, "damaged: its bytes have another digest");
	}
	return r;
}

/* ---- layers ---- */

struct piece {
	struct audit *t;
	const char *diff_id, *blob; /* blob NULL: none that is sound */
	struct stage *stage;
	struct layer have, made;
	const char *why; /* what is wrong with it */
};

/* 1 equal, 0 different, -errno. */
static int compare(struct audit *t, int a, int b)
{
	auto_free char *x = malloc(PIECE);
	auto_free char *y = malloc(PIECE);

	if (!x || !y)
		abort();
	for (;;) {
		ssize_t n = fd_read_full(a, x, PIECE), m = fd_read_full(b, y, PIECE);

		if (n < 0 || m < 0)
			return (int)(n < 0 ? n : m);
		if (n != m || memcmp(x, y, (size_t)n) != 0)
			return 0;
		t->res.bytes += (uint64_t)n;
		if (!n)
			return 1;
	}
}

/* Into the stage; a layer that is there is not touched by the commit. */
static int remake(struct piece *p, enum layer_form form, struct err *e)
{
	auto_fd int blob = blob_open(p->t->s, p->blob, e);
	struct unpacker_job job = {
	    .in_fd = blob, .blob_digest = p->blob, .diff_id = p->diff_id, .form = (int)form};
	struct unpacker *u;
	int r = blob;

	if (r >= 0)
		r = unpacker_start(p->t->s, p->stage, &job, &u, e);
	if (r >= 0)
		r = unpacker_finish(u, &p->t->a, &p->made, e);
	return r;
}

struct walk {
	const struct erofs_image *img;
	unsigned int depth;
};

static int walk_inode(struct walk *w, uint64_t nid, struct err *e);

static int walk_entry(void *arg, const char *name, size_t len, uint64_t nid, struct err *e)
{
	return walk_inode(arg, nid, e);
}

static int walk_inode(struct walk *w, uint64_t nid, struct err *e)
{
	struct erofs_inode in;
	int r = erofs_read_inode(w->img, nid, &in, e);

	if (r < 0 || !S_ISDIR(in.mode))
		return r;
	/* LIMIT_DEPTH is what the writer allows; more is a directory inside itself. */
	if (++w->depth > 1024)
		return err_set(e, ERR_CORRUPT, "directories inside themselves");
	r = erofs_read_dir(w->img, &in, walk_entry, w, e);
	w->depth--;
	return r;
}

/* Without the blob: superblock, inodes and directories. */
static int walk_image(int fd, struct err *e)
{
	struct erofs_image img;
	struct walk w = {.img = &img};
	struct stat st;
	void *p;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "layer");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "layer");
	r = erofs_read_open(p, (uint64_t)st.st_size, &img, e);
	if (r >= 0)
		r = walk_inode(&w, img.root, e);
	munmap(p, (size_t)st.st_size);
	return r;
}

/* Does the kernel hold it to what we noted? */
static void judge_verity(struct piece *p, int fd)
{
	char digest[DIGEST_LEN + 1];

	if (p->have.verity && (!verity_measure(fd, digest) || !streq(digest, p->have.verity)))
		p->why = "its fs-verity digest is not the one that was noted";
}

static void judge_image(struct piece *p, int have, int made)
{
	int r = compare(p->t, have, made);

	if (r == 0)
		p->why = "damaged: other bytes than its blob gives";
	else if (r < 0)
		p->why = arena_printf(&p->t->a, "cannot be read: %s", strerrordesc_np(-r));
	else
		judge_verity(p, have);
}

static void judge_dir(struct piece *p, int have, int made)
{
	struct err why = ERR_INIT;
	char where[300];
	int r = treecmp_run(have, made, where, sizeof(where), &p->t->res.bytes, &why);

	if (r == 0)
		p->why = arena_printf(&p->t->a, "damaged: not as its blob gives it: %s", where);
	else if (r < 0)
		p->why = arena_printf(&p->t->a, "cannot be read: %s", why.msg);
}

/* Fills p->why when the layer, in the form of p->have, is not what it should be. */
static int judge(struct piece *p, struct err *e)
{
	enum layer_form form = (enum layer_form)p->have.form;
	struct audit *t = p->t;
	struct err why = ERR_INIT;
	auto_fd int have = -1, made = -1;
	int r;

	have = openat(t->s->root_fd, layer_name(&p->have, &t->a), O_RDONLY | O_CLOEXEC);
	if (have < 0)
		return err_sys(e, "layer %.19s", p->diff_id);
	if (!p->blob) {
		if (form == LAYER_EROFS && walk_image(have, &why) < 0)
			p->why = arena_printf(&t->a, "damaged: %s", why.msg);
		return 0;
	}
	r = remake(p, form, e);
	if (r < 0)
		return r;
	made = layer_staged(p->stage, p->diff_id, form);
	if (made < 0) /* it went and the commit published this one */
		return 0;
	if (form == LAYER_EROFS)
		judge_image(p, have, made);
	else
		judge_dir(p, have, made);
	return 0;
}

static int mend(struct piece *p, bool missing, struct err *e)
{
	auto_fd int lock = -1;
	enum layer_form form;
	int r;

	if (missing) {
		r = rootfs_form(p->t->s, &form, e);
		return r < 0 ? r : remake(p, form, e);
	}
	lock = store_lock(p->t->s, STORE_EXCLUSIVE, e);
	if (lock < 0)
		return lock;
	rootfs_forget(p->t->s, p->diff_id);
	return layer_replace(p->t->s, p->stage, &p->made, e);
}

/* Its image may have been removed since we listed them. */
static bool still_there(struct audit *t, const struct image_record *rec)
{
	struct image_record now;

	return image_record_read(t->s, image_record_file(rec, &t->a), &t->a, &now, NULL) != -ENOENT;
}

/* Keep it while we look.  1: it is not there. */
static int hold(struct piece *p, struct err *e)
{
	struct audit *t = p->t;
	auto_fd int lock = store_lock(t->s, STORE_SHARED, e);
	int r = lock;

	if (r >= 0)
		r = stage_lease(p->stage, STAGE_LAYER, digest_hex(p->diff_id), e);
	if (r >= 0 && p->blob)
		r = stage_lease(p->stage, STAGE_BLOB, digest_hex(p->blob), e);
	if (r < 0)
		return r;
	if (p->blob && (listed(&t->bad_blobs, p->blob) || !blob_have(t->s, p->blob, 0)))
		p->blob = NULL;
	return layer_find(t->s, p->diff_id, &t->a, &p->have, NULL) < 0;
}

/* Something is wrong: say it, and mend it when that is wanted and possible. */
static int report(struct piece *p, const struct image_record *rec, bool missing, struct err *e)
{
	struct audit *t = p->t;
	bool dir = !missing && p->have.form == LAYER_DIR;
	const char *user = dir ? image_user(t->s, rec->id, &t->a) : NULL;
	int r;

	say(t, AUDIT_WRONG, "layer %s (%s): %s", p->diff_id, owner(t, p->diff_id), p->why);
	if (!p->blob) {
		arena_strs_add(&t->a, &t->lost_layers, p->diff_id);
		return 0;
	}
	/* An image that is mounted stays for whom it is; the files of a directory would be gone. */
	if (user || !t->repair) {
		say(t, AUDIT_LOST, "layer %s: --repair makes it again from its blob%s%.12s",
		    p->diff_id, user ? ", without instance " : "", user ? user : "");
		return 0;
	}
	r = mend(p, missing, e);
	if (r >= 0)
		say(t, AUDIT_FIXED, "layer %s: made again from its blob", p->diff_id);
	return r;
}

static int one_layer(struct piece *p, const struct image_record *rec, struct err *e)
{
	struct audit *t = p->t;
	int r = hold(p, e);

	if (r == 1) {
		if (!still_there(t, rec))
			return 0;
		p->why = "missing, or not as long as its mark says";
		return report(p, rec, true, e);
	}
	for (int f = 0; r >= 0 && f < LAYER_FORM_MAX_; f++) {
		if (layer_find_form(t->s, p->diff_id, (enum layer_form)f, &t->a, &p->have, NULL) <
		    0)
			continue;
		p->why = NULL;
		r = judge(p, e);
		if (r >= 0 && p->why)
			r = report(p, rec, false, e);
	}
	return r;
}

static int layers(struct audit *t, struct err *e)
{
	struct strs done = {0};
	int r = 0;

	for (size_t i = 0; i < t->images.n; i++)
		for (size_t k = 0; r >= 0 && k < t->images.v[i].layers.n; k++) {
			const struct image_record *rec = &t->images.v[i];
			struct piece p = {.t = t, .diff_id = rec->layers.v[k]};
			struct err why = ERR_INIT;

			if (listed(&done, p.diff_id))
				continue;
			arena_strs_add(&t->a, &done, p.diff_id);
			p.blob = k < rec->blobs.n ? rec->blobs.v[k] : NULL;
			r = stage_new(t->s, &p.stage, e);
			if (r < 0)
				return r;
			t->res.layers++;
			if (one_layer(&p, rec, &why) < 0)
				say(t, AUDIT_WRONG, "layer %s: cannot be checked: %s", p.diff_id,
				    why.msg);
			stage_free(p.stage);
		}
	return r;
}

/* ---- merged metadata ---- */

/* It is made from the layers alone, and again when it is missing: damaged, it only has to go. */
static int one_meta(struct audit *t, const struct image_record *rec, struct stage *st, int have,
		    struct err *e)
{
	const char *file = arena_printf(&t->a, "metas/%s.erofs", rec->chain);
	struct strs paths = {0};
	auto_fd int made = -1;
	int r;

	for (size_t k = 0; k < rec->layers.n; k++) {
		struct layer l;
		bool again = false;

		for (size_t j = k + 1; j < rec->layers.n; j++)
			again |= streq(rec->layers.v[j], rec->layers.v[k]);
		if (again)
			continue;
		if (layer_find_form(t->s, rec->layers.v[k], LAYER_EROFS, &t->a, &l, NULL) < 0)
			return 0; /* cannot be used, will be made again with the layer */
		arena_strs_add(&t->a, &paths, layer_path(t->s, &l, &t->a));
	}
	made = unpacker_meta_stage(t->s, st, rec->chain, &paths, &t->a, e);
	if (made < 0)
		return made;
	r = compare(t, have, made);
	if (r > 0)
		return 0;
	say(t, AUDIT_WRONG, "%s: damaged: not what its layers give", file);
	if (t->repair && unlinkat(t->s->root_fd, file, 0) == 0)
		say(t, AUDIT_FIXED, "%s: removed, the next VM makes it again", file);
	else
		say(t, AUDIT_LOST, "%s: --repair removes it, the next VM makes it again", file);
	return 0;
}

static int metas(struct audit *t, struct err *e)
{
	struct strs done = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < t->images.n; i++) {
		const struct image_record *rec = &t->images.v[i];
		struct stage *st = NULL;
		struct err why = ERR_INIT;
		auto_fd int have = -1;

		if (listed(&done, rec->chain))
			continue;
		arena_strs_add(&t->a, &done, rec->chain);
		have = openat(t->s->root_fd, arena_printf(&t->a, "metas/%s.erofs", rec->chain),
			      O_RDONLY | O_CLOEXEC);
		if (have < 0)
			continue;
		r = stage_new(t->s, &st, e);
		if (r >= 0 && one_meta(t, rec, st, have, &why) < 0)
			say(t, AUDIT_WRONG, "metas/%s.erofs: cannot be checked: %s", rec->chain,
			    why.msg);
		stage_free(st);
	}
	return r < 0 ? r : 0;
}

/* ---- images ---- */

/* An image somebody's instance needs stays, whatever is wrong with it. */
static void drop_image(struct audit *t, const struct image_record *rec)
{
	auto_fd int lock = store_lock(t->s, STORE_EXCLUSIVE, NULL);
	const char *user = image_user(t->s, rec->id, &t->a);

	if (lock < 0)
		return;
	if (!user && (user = snapshot_user(t->s, rec->id, &t->a)))
		say(t, AUDIT_LOST, "image '%s': kept, snapshot '%s' needs it; pull it again",
		    shown(t, rec), user);
	else if (user)
		say(t, AUDIT_LOST, "image '%s': kept, instance %.12s uses it; pull it again",
		    shown(t, rec), user);
	else if (image_record_unlink(t->s, rec, NULL) >= 0)
		say(t, AUDIT_FIXED, "image '%s': removed; pull it again", shown(t, rec));
}

static int documents(struct audit *t, const struct image_record *rec, struct err *e)
{
	auto_free char *text = NULL;
	struct image *i = NULL;
	struct oci_manifest m;
	size_t len;
	int r = blob_read(t->s, rec->manifest, OCI_MANIFEST_MAX, &text, &len, e);

	if (r >= 0)
		r = oci_image_manifest(text, len, "manifest", &t->a, &m, e);
	if (r >= 0)
		r = image_find_id(t->s, rec->id, &i, e);
	if (r >= 0)
		r = oci_image_match(&m, &i->config, "image", e);
	image_close(i);
	return r;
}

/* Blobs that an image names and that are not there, or were damaged and are not any more. */
static void missing(struct audit *t, const struct image_record *rec, struct strs *out)
{
	const struct strs *lists[] = {&rec->blobs, &rec->others, &rec->attests};
	const char *docs[] = {rec->id, rec->manifest, rec->source};

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < lists[k]->n; i++)
			if (!blob_have(t->s, lists[k]->v[i], 0))
				arena_strs_add(&t->a, out, lists[k]->v[i]);
	for (size_t i = 0; i < 3; i++)
		if (docs[i] && listed(&t->bad_blobs, docs[i]) && !blob_have(t->s, docs[i], 0))
			arena_strs_add(&t->a, out, docs[i]);
}

/* What is damaged must not look complete to the pull. */
static void drop_lost_layers(struct audit *t, const struct image_record *rec)
{
	auto_fd int lock = store_lock(t->s, STORE_EXCLUSIVE, NULL);

	for (size_t i = 0; lock >= 0 && i < rec->layers.n; i++)
		if (listed(&t->lost_layers, rec->layers.v[i])) {
			rootfs_forget(t->s, rec->layers.v[i]);
			layer_remove(t->s, rec->layers.v[i], NULL);
		}
}

static bool brought_again(struct audit *t, const struct image_record *rec)
{
	if (!t->repair || !t->o->again || !rec->name)
		return false;
	drop_lost_layers(t, rec);
	if (!t->o->again(rec, t->o->arg))
		return false;
	say(t, AUDIT_FIXED, "image '%s': pulled again by its digest", shown(t, rec));
	return true;
}

/* Reports what is wrong with it; true when it cannot be used. */
static bool look_at_image(struct audit *t, const struct image_record *rec, struct strs *gone)
{
	struct err why = ERR_INIT;
	bool broken = documents(t, rec, &why) < 0;

	if (broken)
		say(t, AUDIT_WRONG, "image '%s': %s", shown(t, rec), why.msg);
	for (size_t i = 0; i < rec->layers.n; i++)
		if (listed(&t->lost_layers, rec->layers.v[i])) {
			say(t, AUDIT_WRONG, "image '%s': layer %s is lost, and its blob too",
			    shown(t, rec), rec->layers.v[i]);
			broken = true;
		}
	missing(t, rec, gone);
	for (size_t i = 0; i < gone->n; i++)
		if (!listed(&t->bad_blobs, gone->v[i]))
			say(t, AUDIT_WRONG, "image '%s': blob %s is missing%s", shown(t, rec),
			    gone->v[i],
			    listed(&rec->others, gone->v[i]) ? " (of another platform)" : "");
	return broken;
}

static void one_image(struct audit *t, const struct image_record *rec)
{
	struct strs gone = {0};
	bool broken;

	if (!still_there(t, rec))
		return;
	broken = look_at_image(t, rec, &gone);
	if ((broken || gone.n) && brought_again(t, rec))
		return;
	for (size_t i = 0; broken && t->repair && i < gone.n; i++)
		say(t, AUDIT_LOST, "blob %s: pull '%s' again", gone.v[i], shown(t, rec));
	if (broken && t->repair)
		drop_image(t, rec);
	else if (broken)
		say(t, AUDIT_LOST, "image '%s': pull it again", shown(t, rec));
	else if (gone.n)
		say(t, AUDIT_LOST, "image '%s': it runs; pull it again to save it", shown(t, rec));
}

int audit_run(struct store *s, const struct audit_opts *opts, struct audit_result *out,
	      struct err *e)
{
	struct audit t = {.s = s, .o = opts, .repair = opts->repair};
	struct gc_result gone = {0};
	int r = leftovers(&t, e);

	stage_sweep(s);
	if (r >= 0)
		r = records(&t, e);
	if (r >= 0)
		r = blobs(&t, e);
	if (r >= 0)
		r = layers(&t, e);
	if (r >= 0)
		r = metas(&t, e);
	t.res.images = t.images.n;
	for (size_t i = 0; r >= 0 && i < t.images.n; i++)
		one_image(&t, &t.images.v[i]);
	if (r >= 0 && opts->repair)
		r = gc_run(s, &gone, e);
	if (r >= 0)
		*out = t.res;
	arena_free(&t.a);
	return r < 0 ? r : 0;
}
