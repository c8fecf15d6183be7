/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/commit.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/conn.h"
#include "engine/image_make.h"
#include "engine/instance_root.h"
#include "engine/layer_make.h"
#include "engine/lookup.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/vmlayer.h"
#include "fmt/digest.h"
#include "fmt/limits.h"
#include "fmt/reference.h"
#include "fmt/timestamp.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct commit {
	struct session *s;
	struct store *store;
	struct stage *stage;
	struct arena *a;
	const struct commit_opts *o;
	struct lookup l;
	bool vm;
	struct request q;
	struct image *image;
	struct oci_descriptors base; /* the layers it stands on */
	struct oci_config config;
	struct layer_made layer;
};

/* ---- the base ---- */

static int find(struct commit *c, struct err *e)
{
	int r = session_store(c->s, &c->store, e);

	if (r >= 0)
		r = lookup_find(c->s, c->o->instance, c->a, &c->l, e);
	if (r >= 0)
		r = instance_root_vm(&c->l, e);
	c->vm = r > 0;
	if (r >= 0)
		r = jbind_parse(&request_table, c->l.i.request, strlen(c->l.i.request), &c->q, c->a,
				"request", e);
	return r < 0 ? r : stage_new(c->store, &c->stage, e);
}

/* Its blobs and layers stay until the new image names them. */
static int hold_base(struct commit *c, struct err *e)
{
	auto_fd int lock = store_lock(c->store, STORE_SHARED, e);
	int r = lock < 0 ? lock : image_find_id(c->store, c->l.i.image_id, &c->image, e);

	return r < 0 ? r : image_make_base(c->store, c->stage, c->image, c->a, &c->base, e);
}

/* ---- the layer ---- */

static int pack(struct commit *c, const struct plan_rootfs *fs, struct err *e)
{
	auto_fd int upper = open(fs->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct layer_pack p = {.dir_fd = upper,
			       .marks = fs->fuse	     ? LAYER_UPPER_FUSE
					: fs->userns_options ? LAYER_UPPER_USER
							     : LAYER_UPPER_TRUSTED,
			       .codec = c->o->codec};
	struct strs places = {0};

	if (upper < 0)
		return err_sys(e, "'%s'", fs->upper);
	instance_root_places(&c->l, c->a, &places);
	p.skip = &places;
	return layer_make_pack(c->store, c->stage, &p, c->a, &c->layer, e);
}

static int make_layer_of_vm(struct commit *c, struct err *e)
{
	struct strs places = {0}, words = {0};
	struct vmlayer v = {.words = &words, .codec = c->o->codec};
	int r;

	if (c->q.read_only)
		return err_set(e, ERR_UNSUPPORTED,
			       "its root is read-only: there is nothing to commit");
	arena_strs_add(c->a, &words, "--layer");
	instance_root_places(&c->l, c->a, &places);
	for (size_t i = 0; i < places.n; i++)
		arena_strs_add(c->a, &words, arena_printf(c->a, "--skip=%s", places.v[i]));
	r = vmlayer_make(c->s, c->stage, &c->l.i, &v, c->a, &c->layer, e);
	return r < 0 ? r : 0;
}

static int ask_freezer(struct conn *hold, enum wire_type type, struct err *e)
{
	struct wire_frame f;
	int r = conn_send(hold, type, 0, "\1", type == WIRE_PAUSE, e);

	return r < 0 ? r : conn_answer(hold, 0, WIRE_OK, &f, e);
}

/* For as long as the connection stands: who is killed leaves nobody frozen. */
static int freeze_on(struct commit *c, struct conn *hold, struct err *e)
{
	int r = conn_open(c->s, c->l.i.id, hold, e);

	return r < 0 ? r : ask_freezer(hold, WIRE_PAUSE, e);
}

static int make_layer(struct commit *c, struct err *e)
{
	bool freeze = c->o->pause && c->l.state.status == INSTANCE_RUNNING;
	auto_conn struct conn hold = CONN_INIT;
	struct plan_rootfs fs = {0};
	int r = instance_root_stack(c->s, &c->l, c->a, &fs, e);

	if (r >= 0 && !fs.upper)
		r = err_set(e, ERR_UNSUPPORTED,
			    "its root is read-only: there is nothing to commit");
	if (r < 0)
		return r;
	if (freeze) {
		r = freeze_on(c, &hold, e);
		if (r < 0)
			return err_wrap(e, r, "it cannot be frozen (--no-pause goes without)");
	}
	r = pack(c, &fs, e);
	/* Whatever came of it, it goes on. */
	if (freeze) {
		int t = ask_freezer(&hold, WIRE_RESUME, r < 0 ? NULL : e);

		r = r < 0 ? r : t;
	}
	return r;
}

/* ---- the documents ---- */

static void set_env(struct commit *c, struct strs *env, const char *assignment)
{
	size_t n = strcspn(assignment, "=") + 1;

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], assignment, n) == 0) {
			env->v[i] = assignment;
			return;
		}
	arena_strs_add(c->a, env, assignment);
}

static struct strs copy_strs(struct commit *c, const struct strs *from)
{
	struct strs l = {0};

	for (size_t i = 0; i < from->n; i++)
		arena_strs_add(c->a, &l, from->v[i]);
	return l;
}

static void set_label(struct commit *c, struct jbind_map *labels, const char *assignment)
{
	struct jbind_pair *v = arena_array(c->a, labels->n + 1, sizeof(*v));
	const char *eq = strchrnul(assignment, '=');
	const char *key = arena_dupn(c->a, assignment, (size_t)(eq - assignment));
	size_t i = 0;

	if (labels->n)
		memcpy(v, labels->v, labels->n * sizeof(*v));
	while (i < labels->n && !streq(v[i].key, key))
		i++;
	v[i] = (struct jbind_pair){key, *eq ? eq + 1 : ""};
	*labels = (struct jbind_map){v, i == labels->n ? i + 1 : labels->n};
}

/* As it was run: docker commits the instance's configuration, not its image's. */
static void as_run(struct commit *c)
{
	struct oci_process *p = &c->config.config;
	const struct request *q = &c->q;

	p->env = copy_strs(c, &p->env);
	for (size_t i = 0; i < q->env.n; i++)
		set_env(c, &p->env, q->env.v[i]);
	for (size_t i = 0; i < q->labels.n; i++)
		set_label(c, &p->labels, q->labels.v[i]);
	if (q->entrypoint_set || q->entrypoint.n) {
		p->entrypoint = q->entrypoint;
		p->cmd = q->args;
	} else if (q->args.n) {
		p->cmd = q->args;
	}
	if (q->workdir)
		p->working_dir = q->workdir;
	if (q->user)
		p->user = q->user;
	if (q->stop_signal)
		p->stop_signal = q->stop_signal;
}

static const char *command_text(struct commit *c)
{
	const char *text = "";

	for (size_t i = 0; i < c->l.i.command.n; i++)
		text = arena_printf(c->a, "%s%s%s", text, i ? " " : "", c->l.i.command.v[i]);
	return text;
}

static int make_config(struct commit *c, struct err *e)
{
	auto_buf struct buf at = BUF_INIT(64);
	const struct oci_histories *old = &c->image->config.history;
	struct oci_history *h = arena_array(c->a, old->n + 1, sizeof(*h));
	int r = 0;

	timestamp_print(c->l.i.created_ns, &at);
	c->config = c->image->config;
	c->config.created = arena_dup(c->a, at.p);
	if (c->o->author)
		c->config.author = c->o->author;
	as_run(c);
	if (c->o->change)
		r = c->o->change(&c->config, c->a, c->o->arg, e);
	if (r < 0)
		return r;
	if (old->n)
		memcpy(h, old->v, old->n * sizeof(*h));
	h[old->n] = (struct oci_history){.created = c->config.created,
					 .created_by = command_text(c),
					 .author = c->o->author,
					 .comment = c->o->message};
	c->config.history = (struct oci_histories){h, old->n + 1};
	c->config.rootfs.diff_ids = copy_strs(c, &c->image->config.rootfs.diff_ids);
	arena_strs_add(c->a, &c->config.rootfs.diff_ids, c->layer.layer.diff_id);
	return 0;
}

static int record(struct commit *c, const struct strs *names, const char **id, struct err *e)
{
	struct oci_descriptor *v = arena_array(c->a, c->base.n + 1, sizeof(*v));
	struct oci_descriptors layers = {v, c->base.n + 1};
	struct image_made made;
	int r = make_config(c, e);

	if (c->base.n)
		memcpy(v, c->base.v, c->base.n * sizeof(*v));
	v[c->base.n] = (struct oci_descriptor){.media_type = c->layer.media_type,
					       .digest = c->layer.layer.blob_digest,
					       .size = c->layer.layer.blob_size};
	if (r >= 0)
		r = image_make_put(c->store, c->stage, &c->config, &layers, names, &made, e);
	if (r >= 0)
		*id = arena_dup(c->a, made.id);
	return r;
}

int commit_run(struct session *s, const struct commit_opts *o, struct arena *a, const char **id,
	       struct err *e)
{
	struct commit *c = arena_alloc(a, sizeof(*c));
	struct strs names = {0};
	const char *name = NULL;
	int r = o->ref ? reference_tagged(o->ref, a, &name, e) : 0;

	*c = (struct commit){.s = s, .o = o, .a = a};
	if (name)
		arena_strs_add(a, &names, name);
	if (r >= 0)
		r = find(c, e);
	if (r >= 0)
		r = hold_base(c, e);
	if (r >= 0)
		r = c->vm ? make_layer_of_vm(c, e) : make_layer(c, e);
	if (r >= 0)
		r = record(c, &names, id, e);
	stage_free(c->stage);
	image_close(c->image);
	return r < 0 ? err_wrap(e, r, "commit '%.100s'", o->instance) : 0;
}
