/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The new layers are seen in three ways: all that there is in the end, only what they brought, and
 * the base with an empty layer on top.  Into that last one goes what differs: first what is no
 * more, or is something else now, is taken away, then what they brought is copied.  Its upper
 * directory is the layer.
 */
#include "build/squash.h"
#include "base/auto.h"
#include "base/err.h"
#include "build/filecopy.h"
#include "build/step_int.h"
#include "engine/imageroot.h"
#include "engine/layer_make.h"
#include "fmt/limits.h"
#include "sys/fuseoverlay.h"
#include "sys/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct squash {
	struct arena *a;
	struct filefind_list brought; /* grows with room */
};

static bool there(int dir, const char *name, struct stat *st)
{
	/* A directory of one layer alone may show what it takes away. */
	return fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !(S_ISCHR(st->st_mode) && st->st_rdev == 0);
}

static int open_dir(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "'%s'", name) : fd;
}

static int names_of(int dir, struct arena *a, struct strs *out, struct err *e)
{
	errno = -path_names(dir, a, out);
	return errno ? err_sys(e, "a directory of the image") : 0;
}

/* ---- what they brought ---- */

static int list(struct squash *s, int dir, const char *path, unsigned int depth, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs names = {0};
	int r = names_of(dir, &a, &names, e);

	if (depth > LIMIT_DEPTH)
		return err_set(e, ERR_LIMIT, "more than %d directories deep", LIMIT_DEPTH);
	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		struct filefind_item *it;
		auto_fd int fd = -1;
		struct stat st;

		if (!there(dir, names.v[i], &st))
			continue;
		if (s->brought.n == FILEFIND_MAX)
			return err_set(e, ERR_LIMIT, "more than %d files", FILEFIND_MAX);
		s->brought.v = arena_room(s->a, s->brought.v, s->brought.n, sizeof(*it));
		it = &s->brought.v[s->brought.n++];
		*it = (struct filefind_item){
		    .from = filefind_join(s->a, path, arena_dup(s->a, names.v[i])), .st = st};
		it->to = it->from;
		if (!S_ISDIR(st.st_mode))
			continue;
		fd = r = open_dir(dir, names.v[i], e);
		if (r >= 0)
			r = list(s, fd, it->from, depth + 1, e);
	}
	return r;
}

/* ---- what is no more ---- */

/* One level of the base, where the new layers have this directory as well. */
static int clear(int base, int all, int brought, unsigned int depth, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs names = {0};
	int r = names_of(base, &a, &names, e);

	if (depth > LIMIT_DEPTH)
		return err_set(e, ERR_LIMIT, "more than %d directories deep", LIMIT_DEPTH);
	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		struct stat was, is, new;
		bool stays = there(all, names.v[i], &is), ours = there(brought, names.v[i], &new);
		auto_fd int b = -1, x = -1, y = -1;

		if (!there(base, names.v[i], &was))
			continue;
		if (!stays || (ours && !(S_ISDIR(was.st_mode) && S_ISDIR(new.st_mode)))) {
			errno = -path_remove(base, names.v[i]);
			r = errno ? err_sys(e, "'%s'", names.v[i]) : 0;
			continue;
		}
		if (!ours)
			continue;
		b = r = open_dir(base, names.v[i], e);
		x = r < 0 ? r : (r = open_dir(all, names.v[i], e));
		y = r < 0 ? r : (r = open_dir(brought, names.v[i], e));
		if (r >= 0)
			r = clear(b, x, y, depth + 1, e);
	}
	return r;
}

/* ---- the layer ---- */

static struct strs some(const struct strs *l, size_t from, size_t to, struct arena *a)
{
	struct strs out = {0};

	for (size_t i = from; i < to; i++)
		arena_strs_add(a, &out, l->v[i]);
	return out;
}

static int fill(struct step_env *env, const struct strs *layers, size_t base, struct step_upper *u,
		struct arena *a, struct err *e)
{
	auto_fuseoverlay struct fuseoverlay served = FUSEOVERLAY_INIT;
	struct imageroot_top top = {.upper = u->upper, .work = u->work, .served = &served};
	struct strs below = some(layers, 0, base, a), above = some(layers, base, layers->n, a);
	auto_fd int all = imageroot_open(env->store, layers, a, e);
	auto_fd int brought = all < 0 ? all : imageroot_open(env->store, &above, a, e);
	auto_fd int to = brought < 0 ? brought
			 : base	     ? imageroot_writable(env->store, &below, &top, a, e)
				     : fcntl(u->fd, F_DUPFD_CLOEXEC, 3);
	struct filefind_root from = {.fd = brought, .name = "the new layers", .owners = true};
	struct squash s = {.a = a};
	int r;

	if (to < 0)
		return to;
	u->fuse = served.pid > 0;
	r = clear(to, all, brought, 0, e);
	if (r >= 0)
		r = list(&s, brought, "", 0, e);
	return r < 0 ? r : filecopy_write(&from, &s.brought, to, e);
}

/* The lines of what made the layers stay, and say that they have none. */
static void forget_layers(struct imageconf *ic, size_t base)
{
	struct oci_histories *h = &ic->c.history;
	struct oci_history *v = arena_array(ic->a, h->n + 1, sizeof(*v));
	size_t n = 0;

	if (h->n)
		memcpy(v, h->v, h->n * sizeof(*v));
	for (size_t i = 0; i < h->n; i++)
		if (!v[i].empty_layer && n++ >= base)
			v[i].empty_layer = true;
	h->v = v;
}

int squash_run(struct step_env *env, struct step_state *st, size_t base, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const struct strs layers = st->conf.c.rootfs.diff_ids;
	struct oci_descriptors blobs = st->blobs;
	struct layer_made made = {0};
	struct step_upper u;
	int r;

	if (layers.n <= base + 1)
		return 0;
	r = step_upper_new(env, &a, &u, e);
	if (r < 0)
		return r;
	r = fill(env, &layers, base, &u, &a, e);
	if (r >= 0)
		r = step_pack(env, st, &(struct step_written){u.fd, u.fuse}, &made, e);
	step_upper_free(&u);
	if (r < 0)
		return err_wrap(e, r, "--squash");
	forget_layers(&st->conf, base);
	st->conf.c.rootfs.diff_ids = some(&layers, 0, base, st->conf.a);
	blobs.n = base;
	st->blobs = blobs;
	if (r > 0)
		step_add_layer(st, &(struct oci_descriptor){.media_type = made.media_type,
							    .digest = made.layer.blob_digest,
							    .size = made.layer.blob_size});
	imageconf_record(&st->conf,
			 arena_printf(st->conf.a, "%zu layers squashed into one", layers.n - base),
			 r > 0 ? made.layer.diff_id : NULL);
	return 0;
}
