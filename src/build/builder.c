/* SPDX-License-Identifier: Apache-2.0 */
#include "build/builder.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "build/baseimage.h"
#include "build/buildfile.h"
#include "build/buildplatform.h"
#include "build/buildprune.h"
#include "build/cacheport.h"
#include "build/lockfile.h"
#include "build/squash.h"
#include "build/stages.h"
#include "build/stagework.h"
#include "build/step.h"
#include "build/stepsweep.h"
#include "build/treesource.h"
#include "engine/image_make.h"
#include "engine/imageroot.h"
#include "engine/session.h"
#include "fmt/cachedoc.h"
#include "fmt/dockerfile.h"
#include "fmt/oci_image.h"
#include "fmt/reference.h"
#include "fmt/timestamp.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/child.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ROOTS_MAX 256 /* other roots that COPY --from takes files from */

struct root {
	const char *name;
	struct filefind_root root;
	struct treesource_tree tree; /* of --build-context; closed with it */
};

struct build {
	struct session *s;
	const struct builder_opts *o;
	struct builder_result *out;
	struct arena *a;
	struct store *store;
	struct stage *lease;
	struct treesource_context context;
	struct buildfile file;
	struct dockerfile *doc;
	struct stages stages;
	struct scope_args args;
	struct step_env env;
	struct lockfile lock;
	struct image *looked_at;  /* by a check; closed by the next */
	struct step_state *state; /* by stage */
	struct image **bases;	  /* by stage; NULL without */
	struct root roots[ROOTS_MAX];
	size_t n_roots;
	size_t stage; /* the one being built */
	unsigned int number;
	struct cacheports ports;
	struct strs keys; /* of all steps */
	int up;		  /* in a stage's own process: to the one that shows what happens */
	int64_t began_ns;
	bool made;    /* some step was not in the cache */
	bool playing; /* a stage that such a process built: everything is there, and was shown */
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Here, where the stages come together. */
static void show(struct build *b, const struct builder_event *ev)
{
	static const char kinds[] = "iug";
	const char *kind, *name;

	if (ev->kind == BUILDER_DEBUG)
		b->out->before = arena_dup(b->a, ev->text);
	b->made |= ev->kind == BUILDER_DONE;
	if (ev->kind != BUILDER_PIN) {
		if (b->o->progress)
			b->o->progress(ev, b->o->arg);
		return;
	}
	kind = strchr(kinds, *ev->text);
	name = strchr(ev->text, ' ');
	if (*ev->text && kind && name)
		lockfile_add(&b->lock, (enum lockfile_kind)(kind - kinds), name + 1,
			     arena_dupn(b->a, ev->text + 1, (size_t)(name - ev->text - 1)));
}

static void tell(struct build *b, struct builder_event *ev)
{
	if (b->playing)
		return;
	ev->number = b->number;
	if (!ev->stage)
		ev->stage = b->stages.n ? b->stages.v[b->stage].title : "";
	if (b->up >= 0)
		stagework_tell(b->up, ev);
	else
		show(b, ev);
}

static void explain(void *ctx, const char *text)
{
	tell(ctx, &(struct builder_event){.kind = BUILDER_MISS, .text = text});
}

static void output(void *ctx, const char *data, size_t len)
{
	tell(ctx, &(struct builder_event){.kind = BUILDER_OUTPUT, .text = data, .len = len});
}

/* ---- what is known before anything runs ---- */

static int read_args(struct build *b, struct err *e)
{
	int r = buildplatform_args(&b->args, b->s->environment, b->a, e);

	for (size_t i = 0; r >= 0 && i < b->o->args.n; i++)
		r = scope_args_add(&b->args, b->o->args.v[i], b->s->environment, b->a, e);
	return r;
}

/* SOURCE_DATE_EPOCH as an argument or in the environment; with --reproducible the time of the
 * context's last commit, or of its newest file. */
static int find_epoch(struct build *b, struct err *e)
{
	const char *text = NULL;
	char *end;

	for (size_t i = 0; i < b->args.n; i++)
		if (streq(b->args.v[i].name, "SOURCE_DATE_EPOCH"))
			text = b->args.v[i].value;
	for (char *const *v = b->s->environment; !text && *v; v++)
		text = str_after(*v, "SOURCE_DATE_EPOCH=");
	if (text && *text) {
		errno = 0;
		b->env.epoch = strtoll(text, &end, 10);
		if (errno || *end || b->env.epoch < 0)
			return err_set(e, ERR_USAGE,
				       "SOURCE_DATE_EPOCH=%.32s: want seconds since 1970", text);
		b->env.epoch_set = true;
		return 0;
	}
	if (!b->o->reproducible)
		return 0;
	b->env.epoch_set = true;
	return buildfile_epoch(&b->file, b->s->environment, &b->env.epoch, e);
}

static struct treesource source_of(const struct build *b)
{
	return (struct treesource){b->s, b->store, b->lease};
}

static int open_context(struct build *b, struct err *e)
{
	struct treesource ts = source_of(b);

	if (streq(b->o->context, "-") && b->o->file && streq(b->o->file, "-"))
		return err_set(e, ERR_USAGE, "the context and the Dockerfile cannot both be stdin");
	return treesource_context(&ts, b->o->context, b->a, &b->context, e);
}

static int prepare(struct build *b, struct err *e)
{
	int r = buildplatform_check(b->o->platform, b->a, e);

	if (r >= 0)
		r = cacheport_read(&b->o->cache_to, &b->o->cache_from, b->a, &b->ports, e);
	if (r >= 0)
		r = open_context(b, e);
	if (r >= 0)
		r = buildfile_open(&b->file, &b->context, b->o->context, b->o->file, b->a, e);
	if (r >= 0)
		r = dockerfile_parse(b->file.text, b->file.len, b->file.name, b->a, &b->doc,
				     &b->out->line, e);
	/* A file that is wrong is no wrong use of a command, whether a line is to blame or not. */
	if (r < 0 && b->file.text && e && e->kind == ERR_USAGE)
		e->kind = ERR_CORRUPT;
	if (r >= 0)
		r = read_args(b, e);
	if (r >= 0)
		r = stages_make(b->doc, b->file.name, b->o->target, &b->args, b->a, &b->stages, e);
	if (r < 0) {
		b->out->line = b->out->line ? b->out->line : b->stages.line;
		return r;
	}
	b->env.context = b->context.tree.root;
	b->env.context.name = "the build context";
	b->env.context.ignore = &b->file.ignore;
	b->env.codec = b->o->codec;
	return find_epoch(b, e);
}

/* ---- base images ---- */

static const char *named_context(const struct build *b, const char *name)
{
	for (size_t i = 0; i < b->o->contexts.n; i++) {
		const char *value = strchr(b->o->contexts.v[i], '=');
		size_t n = (size_t)(value - b->o->contexts.v[i]);

		if (strlen(name) == n && strncmp(b->o->contexts.v[i], name, n) == 0)
			return value + 1;
	}
	return NULL;
}

/* What a name stands for as an image: of a named context that is one, or itself. */
static const char *image_of(const struct build *b, const char *name)
{
	const char *value = named_context(b, name), *rest;

	if (!value)
		return name;
	if ((rest = str_after(value, "docker-image://")))
		return rest;
	rest = str_after(value, "oci-layout://");
	return rest ? arena_printf(b->a, "oci:%s", rest) : NULL;
}

static void pin(struct build *b, enum lockfile_kind kind, const char *name, const char *value)
{
	static const char kinds[] = {'i', 'u', 'g'};

	tell(b, &(struct builder_event){
		    .kind = BUILDER_PIN,
		    .text = arena_printf(b->a, "%c%s %s", kinds[kind], value, name)});
}

static void pin_image(void *ctx, const char *name, const char *digest)
{
	pin(ctx, LOCKFILE_IMAGE, name, digest);
}

static void pin_source(void *ctx, bool git, const char *name, const char *value)
{
	pin(ctx, git ? LOCKFILE_GIT : LOCKFILE_URL, name, value);
}

static void warn(void *ctx, const char *text)
{
	tell(ctx, &(struct builder_event){.kind = BUILDER_WARNING, .text = text});
}

/* An image, and its layers for as long as this build lasts. */
static int hold(struct build *b, const char *ref, struct image **out,
		struct oci_descriptors *layers, struct err *e)
{
	struct baseimage of = {.s = b->s,
			       .store = b->store,
			       .lease = b->lease,
			       .lock = &b->lock,
			       .pull = b->o->pull && !b->playing,
			       .pinned = pin_image,
			       .drifted = warn,
			       .ctx = b};

	return baseimage_hold(&of, ref, b->a, out, layers, e);
}

static int begin_conf(struct build *b, size_t i, const struct oci_config *base, struct err *e)
{
	struct imageconf *ic = &b->state[i].conf;
	int r = imageconf_begin(ic, base, &b->stages.global, &b->args, b->doc->escape, b->a, e);

	return r < 0 ? r : imageconf_path(ic, e);
}

static int begin_image(struct build *b, size_t i, struct err *e)
{
	const struct stages_one *sg = &b->stages.v[i];
	struct step_state *st = &b->state[i];
	struct image *image;
	int64_t ns;
	int r;

	const char *ref = image_of(b, sg->base);

	tell(b, &(struct builder_event){.kind = BUILDER_BASE, .text = sg->base});
	r = buildplatform_check(sg->platform, b->a, e);
	if (r >= 0 && !ref)
		r = err_set(e, ERR_UNSUPPORTED,
			    "--build-context %s is a tree of files, and no image to build on",
			    sg->base);
	if (r >= 0)
		r = hold(b, ref, &b->bases[i], &st->blobs, e);
	if (r < 0)
		return r;
	image = b->bases[i];
	if (image->config.created && timestamp_parse(image->config.created, &ns) && ns > 0)
		st->made_ns = ns;
	return begin_conf(b, i, &image->config, e);
}

static int begin_stage(struct build *b, size_t i, struct err *e)
{
	const struct stages_one *sg = &b->stages.v[i];
	const struct step_state *base = sg->base_stage >= 0 ? &b->state[sg->base_stage] : NULL;
	struct oci_config c;
	int r;

	if (base) {
		c = base->conf.c;
		c.config.env = scope_environment(&base->conf.scope);
		r = begin_conf(b, i, &c, e);
		if (r >= 0)
			r = scope_arg_from(&b->state[i].conf.scope, &base->conf.scope, e);
		b->state[i].blobs = base->blobs;
		b->state[i].made_ns = base->made_ns;
		return r;
	}
	if (streq(sg->base, "scratch"))
		return begin_conf(b, i, NULL, e);
	return begin_image(b, i, e);
}

/* ---- COPY --from ---- */

static int keep_root(struct build *b, const char *name, const char *title,
		     const struct strs *layers, struct filefind_root *out, struct err *e)
{
	struct root *k = &b->roots[b->n_roots];
	int fd;

	if (b->n_roots == ROOTS_MAX)
		return err_set(e, ERR_LIMIT, "files come from more than %d images", ROOTS_MAX);
	if (!layers->n)
		return err_set(e, ERR_NOT_FOUND, "%s has no files", title);
	fd = imageroot_open(b->store, layers, b->a, e);
	if (fd < 0)
		return fd;
	*k = (struct root){.name = name,
			   .root = {.fd = fd, .name = title, .owners = true},
			   .tree = TREESOURCE_TREE_INIT};
	b->n_roots++;
	*out = k->root;
	return 0;
}

/* The files of --build-context NAME=DIRECTORY or an address. */
static int keep_context(struct build *b, const char *name, const char *value,
			struct filefind_root *out, struct err *e)
{
	struct root *k = &b->roots[b->n_roots];
	struct dockerignore *ignore = arena_alloc(b->a, sizeof(*ignore));
	struct treesource ts = source_of(b);
	struct treesource_context c;
	int r;

	if (b->n_roots == ROOTS_MAX)
		return err_set(e, ERR_LIMIT, "files come from more than %d images", ROOTS_MAX);
	r = treesource_context(&ts, value, b->a, &c, e);
	if (r < 0)
		return err_wrap(e, r, "--build-context %s", name);
	*k = (struct root){.name = name, .root = c.tree.root, .tree = c.tree};
	b->n_roots++;
	k->root.name = arena_printf(b->a, "context '%s'", name);
	k->root.ignore = ignore;
	r = c.local ? buildfile_ignore(k->root.fd, b->a, ignore, e) : 0;
	*out = k->root;
	return r;
}

static int open_from(void *ctx, const char *name, struct filefind_root *out, struct err *e)
{
	struct build *b = ctx;
	int stage = stages_find(&b->stages, name), r;
	const char *ref = image_of(b, name);
	struct oci_descriptors layers;
	struct image *image = NULL;

	for (size_t i = 0; i < b->n_roots; i++)
		if (streq(b->roots[i].name, name)) {
			*out = b->roots[i].root;
			return 0;
		}
	if (stage >= 0)
		return keep_root(b, name,
				 arena_printf(b->a, "stage '%s'", b->stages.v[stage].title),
				 &b->state[stage].conf.c.rootfs.diff_ids, out, e);
	if (!ref)
		return keep_context(b, name, named_context(b, name), out, e);
	r = hold(b, ref, &image, &layers, e);
	if (r >= 0)
		r = keep_root(b, name, arena_printf(b->a, "image '%s'", name),
			      &image->record.layers, out, e);
	image_close(image);
	return r;
}

/* ---- steps ---- */

static int failed(struct build *b, const struct dockerfile_instr *in, int code, struct err *e)
{
	b->out->code = code;
	b->out->number = b->number;
	return err_set(e, ERR_SYSTEM, "'%.200s' ended with code %d", in->source, code);
}

static const char *created(struct build *b, const struct step_state *st)
{
	auto_buf struct buf text = BUF_INIT(64);
	int64_t ns = b->env.epoch_set ? b->env.epoch * 1000000000
		     : st->made_ns    ? st->made_ns
				      : now_ns(CLOCK_REALTIME);

	timestamp_print(ns, &text);
	return arena_dupn(b->a, text.p, text.len);
}

/* What a RUN that failed stood on becomes a nameless image that starts its shell. */
static void keep_before(struct build *b, struct step_state *st)
{
	struct imageconf ic = st->conf;
	struct oci_process *p = &ic.c.config;
	const struct strs args = scope_arguments(&ic.scope), none = {0};
	struct image_made made;

	imageconf_finish(&ic, created(b, st));
	for (size_t i = 0; i < args.n; i++)
		arena_strs_add(b->a, &p->env, args.v[i]);
	p->entrypoint = p->cmd = none;
	arena_strs_add(b->a, &p->entrypoint, p->shell.n ? p->shell.v[0] : "/bin/sh");
	p->healthcheck = NULL;
	if (image_make_put(b->store, b->lease, &ic.c, &st->blobs, &none, &made, NULL) >= 0)
		tell(b, &(struct builder_event){.kind = BUILDER_DEBUG, .text = made.id});
}

static int do_instr(struct build *b, const struct dockerfile_instr *in, struct err *e)
{
	struct step_state *st = &b->state[b->stage];
	int64_t begun = now_ns(CLOCK_MONOTONIC);
	struct step_result res = {0};
	int r;

	if (!step_makes_files(in))
		return imageconf_apply(&st->conf, in, e);
	r = step_do(&b->env, st, in, &res, e);
	if (r >= 0 && res.code)
		r = failed(b, in, res.code, e);
	if (r < 0 && b->o->debug && in->kind == DOCKERFILE_RUN && !b->playing)
		keep_before(b, st);
	if (r < 0)
		return r;
	tell(b, &(struct builder_event){.kind = res.cached ? BUILDER_CACHED : BUILDER_DONE,
					.text = in->source,
					.ns = now_ns(CLOCK_MONOTONIC) - begun});
	return 0;
}

/* All of them as `build` counts: FROM is the first. */
static int build_instr(struct build *b, size_t k, const struct dockerfile_instr *in, struct err *e)
{
	const struct stages_one *sg = &b->stages.v[b->stage];
	int r;

	tell(b, &(struct builder_event){.kind = BUILDER_STEP,
					.step = (unsigned int)k + 2,
					.steps = (unsigned int)sg->n + 1,
					.text = in->source,
					.line = in->line});
	b->env.place = arena_printf(b->a, "%s|%s|%s|%zu|%s", b->o->context, b->file.name, sg->title,
				    k, dockerfile_names[in->kind]);
	r = do_instr(b, in, e);
	if (r < 0) {
		b->out->line = in->line;
		b->out->number = b->number;
	}
	return r < 0 ? err_wrap(e, r, "%s:%d", b->file.name, in->line) : 0;
}

/* What the author of the base left to be done by whoever builds on it. */
static int do_triggers(struct build *b, const struct stages_one *sg, struct err *e)
{
	const struct image *base = b->bases[b->stage];
	const struct strs *list = base ? &base->config.config.on_build : NULL;
	int r = 0;

	if (sg->base_stage >= 0)
		list = &b->state[sg->base_stage].conf.c.config.on_build;

	for (size_t i = 0; r >= 0 && list && i < list->n; i++) {
		struct dockerfile_instr *in;

		r = dockerfile_parse_one(list->v[i], strlen(list->v[i]),
					 "ONBUILD of the base image", b->a, &in, e);
		if (r < 0)
			break;
		in->line = in->last_line = sg->from->line;
		r = build_instr(b, 0, in, e);
	}
	return r;
}

/* Numbers of a whole build, whoever is first: stages before it in the file count with all they
 * have.
 */
static unsigned int first_number(const struct build *b, size_t stage)
{
	unsigned int n = 1;

	for (size_t i = 0; i < stage; i++)
		if (b->stages.v[i].needed)
			n += (unsigned int)b->stages.v[i].n + 1;
	return n;
}

/* By name or number, as --target has it. */
static bool is_filtered(const struct build *b, size_t stage)
{
	for (size_t i = 0; i < b->o->no_cache_filter.n; i++)
		if (stages_find(&b->stages, b->o->no_cache_filter.v[i]) == (int)stage)
			return true;
	return false;
}

static int build_stage(struct build *b, size_t i, struct err *e)
{
	const struct stages_one *sg = &b->stages.v[i];
	int r;

	b->stage = i;
	b->number = first_number(b, i);
	b->env.no_cache = b->o->no_cache || is_filtered(b, i);
	tell(b, &(struct builder_event){.kind = BUILDER_STEP,
					.step = 1,
					.steps = (unsigned int)sg->n + 1,
					.text = sg->from->source,
					.line = sg->from->line});
	r = begin_stage(b, i, e);
	if (r < 0) {
		b->out->line = sg->from->line;
		b->out->number = b->number;
		return err_wrap(e, r, "%s:%d", b->file.name, sg->from->line);
	}
	r = do_triggers(b, sg, e);
	for (size_t k = 0; r >= 0 && k < sg->n; k++) {
		b->number++;
		r = build_instr(b, k, &sg->v[k], e);
	}
	return r;
}

/* ---- stages at the same time ---- */

static void keep_key(void *ctx, const char key[65])
{
	struct build *b = ctx;

	arena_strs_add(b->a, &b->keys, arena_dup(b->a, key));
}

static void send_key(void *ctx, const char key[65])
{
	struct build *b = ctx;

	stagework_key(b->up, key);
}

static int work_build(void *ctx, size_t stage, int up, struct stagework_failure *why, struct err *e)
{
	struct build *b = ctx;
	struct stage *lease = NULL;
	int r = 0;

	b->up = up;
	if (up >= 0) { /* two processes cannot make layers in one directory */
		r = stage_new(b->store, &lease, e);
		b->env.lease = b->lease = lease;
		b->env.keyed = send_key;
	}
	if (r >= 0)
		r = build_stage(b, stage, e);
	*why = (struct stagework_failure){b->out->line, b->out->code, b->out->number};
	return r;
}

static void work_leave(void *ctx)
{
	struct build *b = ctx;

	stage_free(take_ptr(&b->lease));
}

static int work_replay(void *ctx, size_t stage, const struct strs *keys, struct err *e)
{
	struct build *b = ctx;
	int r;

	b->playing = true;
	b->env.replay = keys;
	b->env.replayed = 0;
	r = build_stage(b, stage, e);
	b->env.replay = NULL;
	b->playing = false;
	if (r == -ENOENT) {
		image_close(take_ptr(&b->bases[stage]));
		b->state[stage] = (struct step_state){0};
		b->out->line = 0;
	}
	return r;
}

static void work_event(void *ctx, const struct builder_event *ev)
{
	show(ctx, ev);
}

static int build_stages(struct build *b, struct err *e)
{
	struct stagework w = {.stages = &b->stages,
			      .alone = b->o->vary,
			      .ctx = b,
			      .build = work_build,
			      .leave = work_leave,
			      .replay = work_replay,
			      .event = work_event};
	struct stagework_failure why = {0};
	int r = stagework_run(&w, &why, e);

	if (r < 0) {
		b->out->line = why.line;
		b->out->code = why.code;
		b->out->number = why.number;
		stepsweep(b->s, b->store); /* of stages that were ended by another's failure */
	}
	return r;
}

/* ---- the cache of others ---- */

static struct cacheport_work caches(struct build *b)
{
	return (struct cacheport_work){.s = b->s,
				       .store = b->store,
				       .lease = b->lease,
				       .a = b->a,
				       .warn = warn,
				       .ctx = b,
				       .keys = b->keys};
}

/* ---- the image ---- */

static int add_labels(struct build *b, struct imageconf *ic, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < b->o->labels.n; i++) {
		char *key = arena_dup(b->a, b->o->labels.v[i]), *value = strchr(key, '=');

		if (value)
			*value++ = 0;
		r = imageconf_label(ic, key, value ? value : "", e);
	}
	return r;
}

/* How many layers the image has that the stage, and the stages it stands on, began with. */
static size_t base_layers(const struct build *b, size_t stage)
{
	while (b->stages.v[stage].base_stage >= 0)
		stage = (size_t)b->stages.v[stage].base_stage;
	return b->bases[stage] ? b->bases[stage]->record.layers.n : 0;
}

static int put_image(struct build *b, const struct strs *names, struct err *e)
{
	struct step_state *st = &b->state[b->stages.target];
	struct image_made made;
	struct cacheport_work w = caches(b);
	int r = add_labels(b, &st->conf, e);

	if (r >= 0)
		r = cacheport_label(&w, &b->ports, &st->conf, e);
	if (r < 0)
		return r;
	if (b->o->squash)
		r = squash_run(&b->env, st, base_layers(b, b->stages.target), e);
	if (r < 0)
		return r;
	imageconf_finish(&st->conf, created(b, st));
	r = image_make_put(b->store, b->lease, &st->conf.c, &st->blobs, names, &made, e);
	if (r < 0)
		return r;
	b->out->id = arena_dup(b->a, made.id);
	b->out->manifest = arena_dup(b->a, made.manifest);
	b->out->names = *names;
	return 0;
}

static int attest(struct build *b, struct err *e)
{
	bool fixed = b->env.epoch_set;
	struct provenance_build p = {.s = b->s,
				     .store = b->store,
				     .lease = b->lease,
				     .a = b->a,
				     .id = b->out->id,
				     .manifest = b->out->manifest,
				     .names = &b->out->names,
				     .context = b->o->context,
				     .file = b->o->file,
				     .target = b->o->target,
				     .dockerfile = arena_dupn(b->a, b->file.text, b->file.len),
				     .asked = &b->o->args,
				     .args = &b->args,
				     .images = &b->lock.pins[LOCKFILE_IMAGE],
				     .urls = &b->lock.pins[LOCKFILE_URL],
				     .git = &b->lock.pins[LOCKFILE_GIT],
				     .began_ns = fixed ? b->env.epoch * 1000000000 : b->began_ns,
				     .ended_ns = fixed ? b->env.epoch * 1000000000
						       : now_ns(CLOCK_REALTIME)};

	return provenance_make(&p, &b->o->attest, e);
}

static int read_names(struct build *b, struct strs *out, struct err *e)
{
	for (size_t i = 0; i < b->o->tags.n; i++) {
		const char *name = NULL;
		int r = reference_tagged(b->o->tags.v[i], b->a, &name, e);

		if (r < 0)
			return err_wrap(e, r, "--tag");
		arena_strs_add(b->a, out, name);
	}
	return 0;
}

/* ---- all of it ---- */

/* What an image that is at hand sets; none is fetched to be looked at. */
static const struct oci_config *base_at_hand(void *ctx, size_t stage)
{
	struct build *b = ctx;
	const char *ref = image_of(b, b->stages.v[stage].base);

	image_close(take_ptr(&b->looked_at));
	if (!b->store || !ref || image_find(b->store, ref, NULL, &b->looked_at, NULL) < 0)
		return NULL;
	return &b->looked_at->config;
}

static int run_checks(struct build *b, struct err *e)
{
	struct lint_input in = {.file = b->doc,
				.stages = &b->stages,
				.ignore = &b->file.ignore,
				.text = b->file.text,
				.len = b->file.len,
				.base = base_at_hand,
				.ctx = b};
	struct lint found;
	int r = lint_run(&in, b->a, &found, e);

	if (r < 0 && e && e->kind == ERR_USAGE)
		e->kind = ERR_CORRUPT; /* the file's mistake, not the command's */
	if (r < 0)
		return err_wrap(e, r, "%s", b->file.name);
	for (size_t i = 0; i < found.n; i++)
		tell(b, &(struct builder_event){
			    .kind = BUILDER_WARNING,
			    .text = arena_printf(b->a, "%s:%d: %s: %s", b->file.name,
						 found.v[i].line, found.v[i].rule, found.v[i].text),
			    .line = found.v[i].line});
	b->out->warnings = (unsigned int)found.n;
	b->out->failed_check = found.n && (found.error || b->o->check);
	if (b->out->failed_check && !b->o->check)
		return err_set(e, ERR_CORRUPT,
			       "%s: %zu of its checks failed, and it wants that to be an error",
			       b->file.name, found.n);
	return 0;
}

static int build_all(struct build *b, struct err *e)
{
	struct strs names = {0};
	struct cacheport_work w = caches(b);
	int r = read_names(b, &names, e);

	b->state = arena_array(b->a, b->stages.n, sizeof(*b->state));
	b->bases = arena_array(b->a, b->stages.n, sizeof(struct image *));
	if (r >= 0)
		cacheport_bring(&w, &b->ports);
	if (r >= 0)
		r = build_stages(b, e);
	for (size_t i = 0; r >= 0 && i < b->args.n; i++)
		if (!b->args.v[i].used)
			tell(b, &(struct builder_event){
				    .kind = BUILDER_WARNING,
				    .text = arena_printf(b->a, "--build-arg %s: no ARG asks for it",
							 b->args.v[i].name)});
	if (r >= 0)
		r = put_image(b, &names, e);
	if (r >= 0)
		r = attest(b, e);
	if (r >= 0)
		r = lockfile_write(&b->lock, e);
	w = caches(b);
	return r < 0 ? r : cacheport_send(&w, &b->ports, &b->state[b->stages.target].conf.c, e);
}

static int open_store(struct build *b, struct err *e)
{
	int r = session_store(b->s, &b->store, e);

	if (r >= 0)
		r = stage_new(b->store, &b->lease, e);
	if (r >= 0)
		stepsweep(b->s, b->store);
	b->env.s = b->s;
	b->env.store = b->store;
	b->env.lease = b->lease;
	return r;
}

/* A check needs none, but what is there is looked at. */
static int open_to_look(struct build *b)
{
	if (access(b->s->root, F_OK) < 0 || session_store(b->s, &b->store, NULL) < 0)
		b->store = NULL;
	return 0;
}

static void close_all(struct build *b)
{
	for (size_t i = 0; i < b->n_roots; i++)
		if (b->roots[i].tree.root.fd < 0)
			close(b->roots[i].root.fd);
		else
			treesource_close(&b->roots[i].tree);
	for (size_t i = 0; b->bases && i < b->stages.n; i++)
		image_close(b->bases[i]);
	image_close(b->looked_at);
	treesource_close(&b->context.tree);
	why_done(&b->env.why);
	stage_free(b->lease);
}

/* A name that is a context's cannot be a stage's as well: which of them is meant must be plain. */
static int check_contexts(const struct build *b, struct err *e)
{
	for (size_t i = 0; i < b->o->contexts.n; i++) {
		const char *name = b->o->contexts.v[i];

		name = arena_dupn(b->a, name, strcspn(name, "="));
		if (stages_find(&b->stages, name) >= 0)
			return err_set(
			    e, ERR_UNSUPPORTED,
			    "--build-context %s: the Dockerfile has a stage of that name", name);
	}
	return 0;
}

static int check_filter(const struct build *b, struct err *e)
{
	for (size_t i = 0; i < b->o->no_cache_filter.n; i++)
		if (stages_find(&b->stages, b->o->no_cache_filter.v[i]) < 0)
			return err_set(e, ERR_USAGE,
				       "--no-cache-filter '%.100s': there is no such stage",
				       b->o->no_cache_filter.v[i]);
	return 0;
}

int builder_run(struct session *s, const struct builder_opts *o, struct arena *a,
		struct builder_result *out, struct err *e)
{
	struct build b = {.s = s,
			  .o = o,
			  .out = out,
			  .a = a,
			  .context = {.tree = TREESOURCE_TREE_INIT},
			  .lock = {.note = o->attest.kind != PROVENANCE_NONE},
			  .began_ns = now_ns(CLOCK_REALTIME),
			  .up = -1};
	mode_t mask = umask(022); /* the caller's must not show in the image */
	int r;

	*out = (struct builder_result){0};
	b.env = (struct step_env){.from = open_from,
				  .output = output,
				  .keyed = keep_key,
				  .ctx = &b,
				  .no_cache = o->no_cache,
				  .explain = o->explain ? explain : NULL,
				  .lock = &b.lock,
				  .pinned = pin_source,
				  .vary = o->vary,
				  .isolation = o->isolation,
				  .network = o->network ? o->network : "bridge",
				  .hosts = o->hosts,
				  .secrets = o->secrets,
				  .ssh = o->ssh,
				  .memory_bytes = o->memory_bytes,
				  .nano_cpus = o->nano_cpus,
				  .shm_bytes = o->shm_bytes};
	/* Only to look at a Dockerfile that lies here, no store is needed. */
	r = o->check && treesource_kind(o->context) == TREESOURCE_PATH && !streq(o->context, "-")
		? open_to_look(&b)
		: open_store(&b, e);
	if (r >= 0)
		r = lockfile_read(&b.lock, o->lock, a, e);
	if (r >= 0)
		r = prepare(&b, e);
	if (r >= 0)
		r = check_contexts(&b, e);
	if (r >= 0)
		r = check_filter(&b, e);
	if (r >= 0)
		r = run_checks(&b, e);
	if (r >= 0 && !o->check)
		r = build_all(&b, e);
	if (r < 0 && out->line)
		out->excerpt = buildfile_excerpt(&b.file, out->line, a);
	close_all(&b);
	/* What was made may be more than is to stay; that it cannot go now is no failed build. */
	if (b.made)
		buildprune_limit(b.store, NULL);
	umask(mask);
	return r;
}

int builder_forget(struct session *s, const char *id, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_removed gone;
	struct store *store;
	int r = session_store(s, &store, e);

	return r < 0 ? r : image_remove(store, id, false, &a, &gone, e);
}
