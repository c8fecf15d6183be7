/* SPDX-License-Identifier: Apache-2.0 */
#include "build/step.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "build/step_int.h"
#include "build/stepcopy.h"
#include "build/steprun.h"
#include "engine/layer_make.h"
#include "fmt/digest.h"
#include "fmt/dockerfile.h"
#include "fmt/passwd.h"
#include "store/buildcache.h"
#include "store/image.h"
#include "store/rootfs.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/file.h"
#include "sys/path.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ACCOUNTS_MAX (4u << 20)

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- layers ---- */

void step_add_layer(struct step_state *st, const struct oci_descriptor *blob)
{
	struct oci_descriptors *l = &st->blobs;
	struct oci_descriptor *v = arena_array(st->conf.a, l->n + 1, sizeof(*v));

	/* At most OCI_LAYERS_MAX of them, and stages share what is below: a copy each time. */
	if (l->n)
		memcpy(v, l->v, l->n * sizeof(*v));
	v[l->n++] = *blob;
	l->v = v;
}

static int add_made(struct step_state *st, const struct oci_descriptor *blob, const char *diff_id,
		    int64_t made_ns, const char *history, struct err *e)
{
	if (st->conf.c.rootfs.diff_ids.n >= OCI_LAYERS_MAX)
		return err_set(e, ERR_LIMIT, "an image has at most %d layers", OCI_LAYERS_MAX);
	if (diff_id)
		step_add_layer(st, blob);
	imageconf_record(&st->conf, history, diff_id);
	if (made_ns > st->made_ns)
		st->made_ns = made_ns;
	return 0;
}

static bool is_empty(int dir_fd)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs names = {0};

	return path_names(dir_fd, &a, &names) == 0 && !names.n;
}

/* A layer, or none, becomes a cache entry, and a part of the stage. */
int step_keep(struct step_env *env, struct step_state *st, const struct layer_made *made,
	      const char *history, const char *key, struct err *e)
{
	struct buildcache_entry entry = {.key = key, .step = history, .created_ns = now_ns()};
	struct oci_descriptor blob = {0};
	int r;

	if (made) {
		entry.diff_id = made->layer.diff_id;
		entry.blob = blob.digest = made->layer.blob_digest;
		entry.media_type = blob.media_type = made->media_type;
		entry.blob_size = blob.size = made->layer.blob_size;
	}
	r = buildcache_put(env->store, &entry, e);
	if (r >= 0)
		r = why_keep(&env->why, env->store, key, e);
	if (r >= 0)
		r = add_made(st, &blob, entry.diff_id, entry.created_ns, history, e);
	if (r >= 0 && env->keyed)
		env->keyed(env->ctx, key);
	return r;
}

int step_pack(struct step_env *env, struct step_state *st, const struct step_written *w,
	      struct layer_made *out, struct err *e)
{
	struct layer_pack pack = {.dir_fd = w->upper_fd,
				  .codec = env->codec,
				  .epoch_set = env->epoch_set,
				  .epoch = env->epoch};
	enum layer_form form = LAYER_EROFS;
	int r;

	/* A step that changed no file leaves no layer. */
	if (is_empty(w->upper_fd))
		return 0;
	r = rootfs_form(env->store, &form, e);
	if (r < 0)
		return r;
	/* As the roots of the steps are mounted; an ordinary user's engine is root, too. */
	pack.marks = w->fuse				    ? LAYER_UPPER_FUSE
		     : form == LAYER_DIR && userns_inside() ? LAYER_UPPER_USER
							    : LAYER_UPPER_TRUSTED;
	r = layer_make_pack(env->store, env->lease, &pack, st->conf.a, out, e);
	return r < 0 ? r : 1;
}

int step_commit(struct step_env *env, struct step_state *st, const struct step_written *w,
		const char *history, const char *key, struct err *e)
{
	struct layer_made made = {0};
	int r = step_pack(env, st, w, &made, e);

	return r < 0 ? r : step_keep(env, st, r ? &made : NULL, history, key, e);
}

int step_stream(struct step_env *env, struct step_state *st,
		int (*write)(void *ctx, int fd, struct err *e), void *ctx, const char *history,
		const char *key, struct err *e)
{
	struct layer_stream from = {.codec = env->codec, .write = write, .ctx = ctx};
	struct layer_made made = {0};
	int r;

	if (!write)
		return step_keep(env, st, NULL, history, key, e);
	r = layer_make_stream(env->store, env->lease, &from, st->conf.a, &made, e);
	return r < 0 ? r : step_keep(env, st, &made, history, key, e);
}

/* ---- keys ---- */

void step_key_text(struct sha256 *h, const char *text)
{
	sha256_add(h, text ? "+" : "-", 1);
	if (text)
		sha256_add(h, text, strlen(text) + 1);
}

void step_key_list(struct sha256 *h, const struct strs *l)
{
	for (size_t i = 0; i < l->n; i++)
		step_key_text(h, l->v[i]);
	step_key_text(h, NULL);
}

void step_key_note(struct step_env *env, struct sha256 *h, const char *name, const char *text)
{
	step_key_text(h, text);
	why_text(&env->why, name, text);
}

void step_key_begin(struct step_env *env, const struct step_state *st, const char *kind,
		    struct sha256 *h)
{
	const struct strs *below = &st->conf.c.rootfs.diff_ids;
	struct arena *a = st->conf.a;

	sha256_init(h);
	step_key_text(h, "caisson build step 2"); /* another number: another meaning of keys */
	step_key_text(h, kind);
	step_key_note(env, h, "--compression", env->codec);
	step_key_note(env, h, "SOURCE_DATE_EPOCH",
		      env->epoch_set ? arena_printf(a, "%lld", (long long)env->epoch) : NULL);
	step_key_list(h, below);
	for (size_t i = 0; i < below->n; i++)
		why_text(&env->why, arena_printf(a, "layer %zu below it", i + 1), below->v[i]);
}

/* 1 when the cache has it, and st has its layer now, else 0. */
static int find_cached(struct step_env *env, struct step_state *st, const char *key,
		       const char *history, struct err *e)
{
	struct buildcache_entry b;
	struct oci_descriptor blob;
	auto_fd int lock = -1;
	int r = 0;

	/* Between finding the entry's layer and leasing it nobody may collect it. */
	lock = store_lock(env->store, STORE_SHARED, e);
	if (lock < 0)
		return lock;
	if (buildcache_find(env->store, key, st->conf.a, &b, NULL) < 0)
		return 0;
	if (b.diff_id)
		r = stage_lease(env->lease, STAGE_LAYER, digest_hex(b.diff_id), e);
	if (r >= 0 && b.diff_id)
		r = stage_lease(env->lease, STAGE_BLOB, digest_hex(b.blob), e);
	if (r < 0)
		return r;
	buildcache_touch(env->store, key);
	blob = (struct oci_descriptor){
	    .media_type = b.media_type, .digest = b.blob, .size = b.blob_size};
	if (r >= 0)
		r = add_made(st, &blob, b.diff_id, b.created_ns, history, e);
	if (r >= 0 && env->keyed)
		env->keyed(env->ctx, key);
	return r < 0 ? r : 1;
}

int step_cached(struct step_env *env, struct step_state *st, struct sha256 *h, const char *history,
		char key[65], struct err *e)
{
	unsigned char sum[32];
	char digest[DIGEST_LEN + 1];
	int r = 0;

	sha256_done(h, sum);
	digest_print(sum, digest);
	memcpy(key, digest_hex(digest), 65);
	if (!env->no_cache)
		r = find_cached(env, st, key, history, e);
	if (r == 0 && env->explain)
		env->explain(env->ctx, env->no_cache
					   ? "the cache is not to be used"
					   : why_explain(&env->why, env->store, key, st->conf.a));
	return r;
}

/* ---- upper directories ---- */

int step_upper_new(struct step_env *env, struct arena *a, struct step_upper *out, struct err *e)
{
	struct step_upper u = {.fd = -1};
	int r = stage_new(env->store, &u.stage, e);

	if (r < 0)
		return r;
	u.upper = arena_printf(a, "%s/%s/upper", store_root_path(env->store), stage_path(u.stage));
	u.work = arena_printf(a, "%s/%s/work", store_root_path(env->store), stage_path(u.stage));
	if (mkdirat(stage_fd(u.stage), "upper", 0755) < 0 ||
	    fchmodat(stage_fd(u.stage), "upper", 0755, 0) < 0 ||
	    mkdirat(stage_fd(u.stage), "work", 0700) < 0 ||
	    (u.fd = openat(stage_fd(u.stage), "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		r = err_sys(e, "'%s'", u.upper);
		step_upper_free(&u);
		return r;
	}
	*out = u;
	return 0;
}

void step_upper_free(struct step_upper *u)
{
	if (u->fd >= 0)
		close(u->fd);
	stage_free(u->stage);
}

/* ---- owners ---- */

/* A file of the image's author; none is an empty one. */
static char *accounts(int root_fd, const char *path)
{
	auto_fd int fd = path_open(root_fd, path, O_RDONLY | O_NONBLOCK, 0, PATH_IN_ROOT);
	char name[PATH_FD_MAX], *text = NULL;

	if (fd < 0 || file_read(AT_FDCWD, path_of_fd(fd, name), ACCOUNTS_MAX, &text) < 0)
		return strdup("");
	return text;
}

int step_owner(int root_fd, const char *text, uint32_t *uid, uint32_t *gid, struct err *e)
{
	auto_free char *copy = strdup(text);
	auto_free char *users = accounts(root_fd, "etc/passwd");
	auto_free char *groups = accounts(root_fd, "etc/group");
	char *group = copy ? strchr(copy, ':') : NULL;
	struct passwd_user u;

	if (!copy || !users || !groups)
		abort();
	if (group)
		*group++ = 0;
	if (passwd_id(copy, strlen(copy), uid)) {
		*gid = *uid; /* docker's meaning of a number alone */
	} else if (passwd_find_user(users, copy, 0, &u)) {
		*uid = u.uid;
		*gid = u.gid;
	} else {
		return err_set(e, ERR_NOT_FOUND, "user '%.64s' is not in the image's /etc/passwd",
			       copy);
	}
	if (group && *group && !passwd_id(group, strlen(group), gid) &&
	    !passwd_find_group(groups, group, gid))
		return err_set(e, ERR_NOT_FOUND, "group '%.64s' is not in the image's /etc/group",
			       group);
	return 0;
}

/* ---- all of them ---- */

bool step_makes_files(const struct dockerfile_instr *in)
{
	return in->kind == DOCKERFILE_RUN || in->kind == DOCKERFILE_COPY ||
	       in->kind == DOCKERFILE_ADD || in->kind == DOCKERFILE_WORKDIR;
}

static int replay(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
		  struct err *e)
{
	const char *dir = NULL;
	int r = env->replayed == env->replay->n ? -ENOENT : 0;

	if (r >= 0 && in->kind == DOCKERFILE_WORKDIR)
		r = imageconf_workdir(&st->conf, in, &dir, e);
	if (r >= 0)
		r = find_cached(env, st, env->replay->v[env->replayed++], in->source, e);
	if (dir)
		st->conf.c.config.working_dir = dir;
	return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

int step_do(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
	    struct step_result *out, struct err *e)
{
	*out = (struct step_result){0};
	if (env->replay)
		return replay(env, st, in, e);
	why_begin(&env->why, env->place, in->source);
	if (in->kind == DOCKERFILE_RUN)
		return steprun_do(env, st, in, out, e);
	if (in->kind == DOCKERFILE_WORKDIR)
		return stepcopy_workdir(env, st, in, out, e);
	return stepcopy_do(env, st, in, out, e);
}
