/* SPDX-License-Identifier: Apache-2.0 */
#include "build/cacheport.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "build/filecopy.h"
#include "build/filefind.h"
#include "build/imageconf.h"
#include "build/runmount.h"
#include "engine/image_copy.h"
#include "engine/image_make.h"
#include "engine/image_pull.h"
#include "engine/imageroot.h"
#include "engine/layer_make.h"
#include "engine/session.h"
#include "fmt/cachedoc.h"
#include "fmt/digest.h"
#include "fmt/jbind.h"
#include "fmt/oci_image.h"
#include "store/buildcache.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAG "build-cache" /* in a layout */

/* ---- words ---- */

static int read_field(struct cacheport *p, bool to, const char *key, const char *value,
		      struct arena *a)
{
	static const char *const kinds[] = {"registry", "local", "inline"};

	if (streq(key, "type"))
		for (int i = 0; i < 3; i++)
			if (streq(value, kinds[i])) {
				p->kind = i;
				return 0;
			}
	if (streq(key, "ref") || streq(key, to ? "dest" : "src"))
		p->where = value;
	else if (to && streq(key, "mode") && (streq(value, "min") || streq(value, "max")))
		p->max = streq(value, "max");
	else if (to && streq(key, "ignore-error") &&
		 (streq(value, "true") || streq(value, "false")))
		p->forgiving = streq(value, "true");
	else if (to && streq(key, "mount"))
		arena_strs_add(a, &p->mounts, value);
	else
		return -EINVAL;
	return 0;
}

static int check(const struct cacheport *p, bool to, struct err *e)
{
	const char *option = to ? "--cache-to" : "--cache-from";

	if (p->kind == CACHEPORT_INLINE && (!to || p->where || p->max || p->mounts.n))
		return err_set(
		    e, ERR_USAGE, "%s '%s': %s", option, p->text,
		    to ? "type=inline goes with the image, has its steps only and no more"
		       : "a cache inside an image is type=registry,ref=NAME");
	if (p->kind != CACHEPORT_INLINE && (!p->where || !*p->where))
		return err_set(e, ERR_USAGE, "%s '%s': want %s", option, p->text,
			       p->kind == CACHEPORT_REGISTRY ? "ref=NAME"
			       : to			     ? "dest=DIRECTORY"
							     : "src=DIRECTORY");
	if (p->kind == CACHEPORT_LOCAL && strchr(p->where, ':'))
		return err_set(e, ERR_USAGE, "%s '%s': no ':' in a directory's name", option,
			       p->text);
	return 0;
}

static int parse(const char *text, bool to, struct arena *a, struct cacheport *out, struct err *e)
{
	struct cacheport p = {.kind = CACHEPORT_REGISTRY, .text = text};

	/* docker's short form. */
	if (!strchr(text, '=')) {
		p.where = text;
		*out = p;
		return check(&p, to, e);
	}
	for (const char *f = text; *f; f += strcspn(f, ","), f += *f == ',') {
		char *key = arena_dupn(a, f, strcspn(f, ",")), *value = strchr(key, '=');

		if (value)
			*value++ = 0;
		if (!value || read_field(&p, to, key, value, a) < 0)
			return err_set(e, ERR_USAGE, "%s '%s': '%s%s%s' is not known here",
				       to ? "--cache-to" : "--cache-from", text, key,
				       value ? "=" : "", value ? value : "");
	}
	*out = p;
	return check(&p, to, e);
}

static int parse_all(const struct strs *words, bool to, struct arena *a, struct cacheport **out,
		     size_t *n, struct err *e)
{
	int r = 0;

	*out = arena_array(a, words->n + 1, sizeof(**out));
	for (*n = 0; r >= 0 && *n < words->n; (*n)++)
		r = parse(words->v[*n], to, a, &(*out)[*n], e);
	return r;
}

int cacheport_read(const struct strs *to, const struct strs *from, struct arena *a,
		   struct cacheports *out, struct err *e)
{
	int r = parse_all(to, true, a, &out->to, &out->n_to, e);

	return r < 0 ? r : parse_all(from, false, a, &out->from, &out->n_from, e);
}

/* ---- export ---- */

struct parcel {
	const struct cacheport_work *w;
	const struct oci_config *config;
	bool max;
	struct cachedoc doc;
	struct strs diff_ids; /* what goes, each once */
	struct oci_descriptors blobs;
	size_t left_out;
};

static bool has(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

static bool add_layer(struct parcel *p, const char *diff_id, const struct oci_descriptor *blob)
{
	struct arena *a = p->w->a;

	if (has(&p->diff_ids, diff_id))
		return true;
	if (p->diff_ids.n == OCI_LAYERS_MAX)
		return false;
	arena_strs_add(a, &p->diff_ids, diff_id);
	p->blobs.v = arena_room(a, p->blobs.v, p->blobs.n, sizeof(*p->blobs.v));
	p->blobs.v[p->blobs.n++] = *blob;
	return true;
}

/* One step that was made or found by this build. */
static void add_step(struct parcel *p, const char *key)
{
	struct cachedoc_steps *steps = &p->doc.steps;
	struct buildcache_entry b;
	struct oci_descriptor blob;

	for (size_t i = 0; i < steps->n; i++)
		if (streq(steps->v[i].key, key))
			return;
	if (buildcache_find(p->w->store, key, p->w->a, &b, NULL) < 0)
		return; /* pruned meanwhile */
	if (!p->max && b.diff_id && !has(&p->config->rootfs.diff_ids, b.diff_id))
		return;
	blob = (struct oci_descriptor){
	    .media_type = b.media_type, .digest = b.blob, .size = b.blob_size};
	if (steps->n == CACHEDOC_STEPS_MAX || (b.diff_id && !add_layer(p, b.diff_id, &blob))) {
		p->left_out++;
		return;
	}
	steps->v = arena_room(p->w->a, steps->v, steps->n, sizeof(*steps->v));
	steps->v[steps->n++] = (struct cachedoc_step){
	    .key = key, .diff_id = b.diff_id, .step = b.step, .created_ns = b.created_ns};
}

/* What is in the directory of a cache mount, unless a step is at work in it. */
static int add_mount(struct parcel *p, const char *id, struct err *e)
{
	struct arena *a = p->w->a;
	const char *name = runmount_cache_name(id, 0, a);
	auto_fd int dir =
	    openat(store_root_fd(p->w->store), arena_printf(a, RUNMOUNT_CACHES "/%s", name),
		   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct layer_pack pack = {.dir_fd = dir, .marks = LAYER_PLAIN, .codec = "gzip"};
	struct layer_made made;
	struct oci_descriptor blob;
	struct stat st;
	int r;

	if (dir < 0 || fstat(dir, &st) < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0) {
		p->w->warn(p->w->ctx,
			   arena_printf(a, "--cache-to: the cache mount '%s' %s", id,
					dir < 0 ? "is not here" : "is in use, and stays out"));
		return 0;
	}
	r = layer_make_pack(p->w->store, p->w->lease, &pack, a, &made, e);
	if (r < 0)
		return err_wrap(e, r, "the cache mount '%s'", id);
	blob = (struct oci_descriptor){.media_type = made.media_type,
				       .digest = made.layer.blob_digest,
				       .size = made.layer.blob_size};
	if (!add_layer(p, made.layer.diff_id, &blob) || p->doc.mounts.n == CACHEDOC_MOUNTS_MAX) {
		p->left_out++;
		return 0;
	}
	p->doc.mounts.v = arena_room(a, p->doc.mounts.v, p->doc.mounts.n, sizeof(*p->doc.mounts.v));
	p->doc.mounts.v[p->doc.mounts.n++] = (struct cachedoc_mount){.name = name,
								     .diff_id = made.layer.diff_id,
								     .uid = st.st_uid,
								     .gid = st.st_gid,
								     .mode = st.st_mode & 07777};
	return 0;
}

static int label_of(struct parcel *p, const char **out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_CONFIG_MAX / 2);
	int r;

	p->doc.version = CACHEDOC_VERSION;
	cachedoc_write(&p->doc, &text);
	r = buf_fail(&text, "build cache", e);
	if (r >= 0)
		*out = arena_dupn(p->w->a, text.p, text.len);
	return r < 0 ? r : 0;
}

/* Nobody else's: two builds at the same time have each its own. */
static const char *passing_name(const struct cacheport_work *w)
{
	const char *path = stage_path(w->lease);
	const char *slash = strrchr(path, '/');

	return arena_printf(w->a, "localhost/caisson-build-cache:%s", slash ? slash + 1 : path);
}

static void forget(const struct cacheport_work *w, const char *name)
{
	struct image_removed gone = {0};

	image_remove(w->store, name, true, w->a, &gone, NULL);
}

static int send(struct parcel *p, const struct cacheport *to, struct err *e)
{
	struct jbind_pair label = {.key = CACHEDOC_LABEL};
	struct oci_config c = {.created = "1970-01-01T00:00:00Z",
			       .config = {.labels = {&label, 1}},
			       .rootfs = {"layers", p->diff_ids}};
	const char *name = passing_name(p->w), *digest = NULL;
	struct strs names = {.v = &name, .n = 1};
	struct image_copy_opts o = {.all = false};
	struct image_made made;
	int r;

	oci_image_host(&c.platform);
	r = label_of(p, &label.value, e);
	if (r >= 0)
		r = image_make_put(p->w->store, p->w->lease, &c, &p->blobs, &names, &made, e);
	if (r < 0)
		return r;
	r = image_copy_run(p->w->store, name,
			   to->kind == CACHEPORT_LOCAL
			       ? arena_printf(p->w->a, "oci:%s:" TAG, to->where)
			       : arena_printf(p->w->a, "docker://%s", to->where),
			   &o, p->w->a, &digest, e);
	forget(p->w, name);
	return r;
}

static int export_one(const struct cacheport_work *w, const struct cacheport *p,
		      const struct oci_config *config, struct err *e)
{
	struct parcel parcel = {.w = w, .config = config, .max = p->max};
	struct err why = ERR_INIT;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->mounts.n; i++)
		r = add_mount(&parcel, p->mounts.v[i], &why);
	for (size_t i = 0; r >= 0 && i < w->keys.n; i++)
		add_step(&parcel, w->keys.v[i]);
	if (r >= 0)
		r = send(&parcel, p, &why);
	if (r >= 0 && parcel.left_out)
		w->warn(w->ctx, arena_printf(w->a,
					     "--cache-to '%s': %zu steps or mounts stay out, there "
					     "is room for %d layers",
					     p->text, parcel.left_out, OCI_LAYERS_MAX));
	if (r >= 0)
		return 0;
	err_wrap(&why, r, "--cache-to '%s'", p->text);
	if (p->forgiving) {
		w->warn(w->ctx, arena_dup(w->a, why.msg));
		return 0;
	}
	if (e)
		*e = why;
	return r;
}

int cacheport_send(const struct cacheport_work *w, const struct cacheports *p,
		   const struct oci_config *config, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->n_to; i++)
		if (p->to[i].kind != CACHEPORT_INLINE)
			r = export_one(w, &p->to[i], config, e);
	return r;
}

int cacheport_label(const struct cacheport_work *w, const struct cacheports *p,
		    struct imageconf *ic, struct err *e)
{
	struct parcel parcel = {.w = w, .config = &ic->c};
	const char *text = NULL;
	bool wanted = false;
	int r;

	for (size_t i = 0; i < p->n_to; i++)
		wanted |= p->to[i].kind == CACHEPORT_INLINE;
	if (!wanted)
		return 0;
	for (size_t i = 0; i < w->keys.n; i++)
		add_step(&parcel, w->keys.v[i]);
	r = label_of(&parcel, &text, e);
	return r < 0 ? r : imageconf_label(ic, CACHEDOC_LABEL, text, e);
}

/* ---- import ---- */

struct arrival {
	const struct cacheport_work *w;
	struct image *image;
	struct oci_descriptors blobs;
	struct cachedoc doc;
};

/* The blob of a layer that came along; NULL: it did not. */
static const struct oci_descriptor *blob_of(const struct arrival *v, const char *diff_id)
{
	const struct strs *layers = &v->image->record.layers;

	for (size_t i = 0; i < layers->n && i < v->blobs.n; i++)
		if (streq(layers->v[i], diff_id))
			return &v->blobs.v[i];
	return NULL;
}

/* An entry of our own stays what it is. */
static int take_step(const struct arrival *v, const struct cachedoc_step *x, struct err *e)
{
	struct buildcache_entry b = {.key = x->key,
				     .diff_id = x->diff_id,
				     .step = x->step,
				     .created_ns = x->created_ns},
				have;
	const struct oci_descriptor *blob = x->diff_id ? blob_of(v, x->diff_id) : NULL;

	if (x->diff_id && !blob)
		return err_set(e, ERR_CORRUPT, "a step's layer %.19s is not in it", x->diff_id);
	if (buildcache_find(v->w->store, x->key, v->w->a, &have, NULL) == 0)
		return 0;
	if (blob) {
		b.blob = blob->digest;
		b.media_type = blob->media_type;
		b.blob_size = blob->size;
	}
	return buildcache_put(v->w->store, &b, e);
}

static int fill(const struct arrival *v, const struct cachedoc_mount *m, int dir, struct err *e)
{
	const char *top[] = {"/"}, *only[] = {m->diff_id};
	struct strs layer = {.v = only, .n = 1};
	struct filefind_root root = {.name = "the cache", .owners = true};
	struct filefind_list files;
	auto_fd int fd = imageroot_open(v->w->store, &layer, v->w->a, e);
	int r = fd;

	root.fd = fd;
	if (r >= 0)
		r = filefind_find(&root, &(struct strs){.v = top, .n = 1},
				  &(struct filefind_rules){0}, v->w->a, &files, e);
	if (r >= 0)
		r = filecopy_write(&root, &files, dir, e);
	if (r >= 0 && (fchown(dir, m->uid, m->gid) < 0 || fchmod(dir, (mode_t)m->mode) < 0))
		r = err_sys(e, "its directory");
	return r;
}

/* Beside its name first, then all of it at once; one that is there is another build's. */
static int take_mount(const struct arrival *v, const struct cachedoc_mount *m, struct err *e)
{
	int root = store_root_fd(v->w->store);
	const char *path = arena_printf(v->w->a, RUNMOUNT_CACHES "/%s", m->name);
	struct stage *stage = NULL;
	auto_fd int dir = -1;
	int r;

	if (!blob_of(v, m->diff_id))
		return err_set(e, ERR_CORRUPT, "a mount's layer %.19s is not in it", m->diff_id);
	if (faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = runmount_caches(v->w->store, e);
	if (r >= 0)
		r = stage_new(v->w->store, &stage, e);
	if (r < 0)
		return r;
	if (mkdirat(stage_fd(stage), "mount", 0700) < 0 ||
	    (dir = openat(stage_fd(stage), "mount", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		r = err_sys(e, "a cache mount");
	if (r >= 0)
		r = fill(v, m, dir, e);
	if (r >= 0 && renameat2(stage_fd(stage), "mount", root, path, RENAME_NOREPLACE) < 0 &&
	    errno != EEXIST)
		r = err_sys(e, "a cache mount");
	stage_free(stage);
	return r;
}

static int take(struct arrival *v, const char *id, struct err *e)
{
	const char *text;
	int r = image_find_id(v->w->store, id, &v->image, e);

	if (r < 0)
		return r;
	text = jbind_lookup(&v->image->config.config.labels, CACHEDOC_LABEL);
	if (!text)
		return err_set(e, ERR_NOT_FOUND, "there is no build cache in it");
	r = cachedoc_parse(text, strlen(text), v->w->a, &v->doc, e);
	if (r >= 0)
		r = image_make_base(v->w->store, v->w->lease, v->image, v->w->a, &v->blobs, e);
	for (size_t i = 0; r >= 0 && i < v->doc.steps.n; i++)
		r = take_step(v, &v->doc.steps.v[i], e);
	for (size_t i = 0; r >= 0 && i < v->doc.mounts.n; i++)
		r = take_mount(v, &v->doc.mounts.v[i], e);
	return r;
}

static void import_one(const struct cacheport_work *w, const struct cacheport *p)
{
	struct image_pull_opts o = {.as = passing_name(w),
				    .signature_policy = w->s->signature_policy};
	const char *from =
	    p->kind == CACHEPORT_LOCAL ? arena_printf(w->a, "oci:%s:" TAG, p->where) : p->where;
	struct arrival v = {.w = w};
	struct image_pulled pulled;
	struct err why = ERR_INIT;
	int r = image_pull_run(w->store, from, &o, w->a, &pulled, &why);

	if (r >= 0) {
		r = take(&v, pulled.id, &why);
		image_close(v.image);
		forget(w, o.as);
	}
	if (r < 0)
		w->warn(w->ctx, arena_printf(w->a, "--cache-from '%s': %s", p->text, why.msg));
}

void cacheport_bring(const struct cacheport_work *w, const struct cacheports *p)
{
	for (size_t i = 0; i < p->n_from; i++)
		import_one(w, &p->from[i]);
}
