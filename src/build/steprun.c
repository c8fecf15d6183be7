/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A RUN is an instance like any other: made of the layers so far, started by the engine behind the
 * default wall, tied to this process (it is killed when the build dies), removed when its upper
 * directory has become a layer.  Its host name is always the same, or a random id would get into
 * files.
 */
#include "build/steprun.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "build/runmount.h"
#include "build/step_int.h"
#include "build/stepsweep.h"
#include "engine/conn.h"
#include "engine/create.h"
#include "engine/imageroot.h"
#include "engine/remove.h"
#include "engine/request.h"
#include "engine/session.h"
#include "engine/start.h"
#include "engine/vmlayer.h"
#include "fmt/dockerfile.h"
#include "spec/plan.h"
#include "spec/record.h"
#include "store/image.h"
#include "store/rootdriver.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/mountstub.h"
#include "sys/path.h"

#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTNAME       "buildstep"
#define OTHER_HOSTNAME "verifystep"
#define OTHER_CLOCK_S  (401 * 86400 + 7 * 3600 + 61)
/* Under /dev, which is in memory: nothing of it stays in the layer. */
#define SCRIPT "/dev/build-script"

struct run {
	struct step_env *env;
	struct step_state *st;
	const struct dockerfile_instr *in;
	struct arena *a;
	struct runmounts mounts;
	struct request q;
	struct image image;
	const char *history;
	const char *script; /* a heredoc that is a program itself */
};

/* ---- the command ---- */

/* The text behind the shell: with heredocs, the shell reads them as it would from a file. */
static const char *shell_text(struct run *r)
{
	const struct dockerfile_instr *in = r->in;
	const char *text = in->args.v[0];

	for (size_t i = 0; i < in->heredocs_n; i++)
		text = arena_printf(r->a, "%s\n%s%s", text, in->heredocs[i].content,
				    in->heredocs[i].name);
	return text;
}

/* Only "<<EOF": then the text is the script, run by the shell or by what its first line names. */
static bool is_script(const struct dockerfile_instr *in)
{
	return !in->json && in->heredocs_n == 1 && !strpbrk(in->args.v[0], " \t") &&
	       str_after(in->args.v[0], "<<");
}

static struct strs command(struct run *r)
{
	struct dockerfile_instr in = *r->in;
	const char *text;

	if (in.json)
		return imageconf_command(&r->st->conf, &in, 0);
	if (is_script(&in) && str_after(in.heredocs[0].content, "#!")) {
		struct strs words = {0};

		r->script = in.heredocs[0].content;
		arena_strs_add(r->a, &words, SCRIPT);
		return words;
	}
	text = is_script(&in) ? in.heredocs[0].content : shell_text(r);
	in.args = (struct strs){0};
	arena_strs_add(r->a, &in.args, text);
	return imageconf_command(&r->st->conf, &in, 0);
}

static int network(const struct run *r, const char **out, struct err *e)
{
	const char *want = dockerfile_flag(r->in, "network");

	*out = r->env->network;
	if (!want || streq(want, "default"))
		return 0;
	if (!streq(want, "none") && !streq(want, "host"))
		return err_set(e, ERR_USAGE, "RUN --network=%.64s: want default, none or host",
			       want);
	/* A Dockerfile must not reach for the host's network by itself. */
	if (streq(want, "host") && !streq(r->env->network, "host"))
		return err_set(e, ERR_DENIED,
			       "RUN --network=host: only when the build has --network=host, too");
	*out = want;
	return 0;
}

static int refused(const struct run *r, struct err *e)
{
	const char *security = dockerfile_flag(r->in, "security");

	if (security && !streq(security, "sandbox"))
		return err_set(e, ERR_UNSUPPORTED,
			       "RUN --security=%.64s: build steps keep the default wall", security);
	if (r->env->isolation == PLAN_VM)
		for (size_t i = 0; i < r->mounts.n; i++)
			if (r->mounts.v[i].type == RUNMOUNT_SSH)
				return err_set(
				    e, ERR_UNSUPPORTED,
				    "RUN --mount=type=ssh: a socket of the host does not "
				    "reach into a VM (--isolation=vm)");
	if (dockerfile_flag(r->in, "device"))
		return err_set(e, ERR_UNSUPPORTED, "RUN --device: build steps get no devices");
	return 0;
}

/* Not what the Dockerfile has settled. */
static void vary_env(struct run *r, const char *pair)
{
	const struct strs env = scope_environment(&r->st->conf.scope);
	size_t n = strcspn(pair, "=") + 1;

	for (size_t i = 0; i < env.n; i++)
		if (strncmp(env.v[i], pair, n) == 0)
			return;
	for (size_t i = 0; i < r->q.env.n; i++)
		if (strncmp(r->q.env.v[i], pair, n) == 0)
			return;
	arena_strs_add(r->a, &r->q.env, pair);
}

/* What a second build of --verify has of its own; it is part of the key, so that no other build
 * finds what came of it. */
static void vary(struct run *r)
{
	r->q.hostname = OTHER_HOSTNAME;
	r->q.clock_offset_s = OTHER_CLOCK_S;
	vary_env(r, "TZ=XYZ-14");
	vary_env(r, "LANG=tr_TR.UTF-8");
	vary_env(r, "LC_ALL=tr_TR.UTF-8");
}

/* The instance: what the configuration says, and nothing that only counts when it runs for good. */
static int make_request(struct run *r, struct err *e)
{
	struct oci_process *p = &r->image.config.config;
	struct request *q = &r->q;
	int ret = 0;

	r->image.record =
	    (struct image_record){.id = "",
				  .layers = r->st->conf.c.rootfs.diff_ids,
				  .chain = image_chain(&r->st->conf.c.rootfs.diff_ids, r->a)};
	for (size_t i = 0; i < r->st->blobs.n; i++)
		arena_strs_add(r->a, &r->image.record.blobs, r->st->blobs.v[i].digest);
	*p = (struct oci_process){.user = r->st->conf.c.config.user,
				  .working_dir = r->st->conf.c.config.working_dir,
				  .env = scope_environment(&r->st->conf.scope)};
	*q = (struct request){.image = "build",
			      .isolation = r->env->isolation,
			      .vm_linger = r->env->isolation == PLAN_VM,
			      .args = command(r),
			      .entrypoint_set = true,
			      .env = scope_arguments(&r->st->conf.scope),
			      .hostname = HOSTNAME,
			      .auto_remove = true,
			      .shm_bytes = r->env->shm_bytes,
			      .hosts = r->env->hosts,
			      .memory_bytes = r->env->memory_bytes,
			      .nano_cpus = r->env->nano_cpus};
	arena_strs_add(r->a, &q->labels,
		       arena_printf(r->a, STEPSWEEP_LABEL "=%s", stage_path(r->env->lease)));
	if (r->env->vary)
		vary(r);
	if (ret >= 0)
		ret = network(r, &q->network, e);
	if (ret >= 0)
		ret = runmount_prepare(&r->mounts, r->env, r->st, r->in, r->a, e);
	return ret < 0 ? ret : refused(r, e);
}

static void add_key(struct run *r, struct sha256 *h)
{
	const struct request *q = &r->q;

	step_key_list(h, &q->args);
	for (size_t i = 0; i < q->args.n; i++)
		why_text(&r->env->why, arena_printf(r->a, "word %zu of the command", i + 1),
			 q->args.v[i]);
	step_key_list(h, &r->image.config.config.env);
	why_each(&r->env->why, "ENV", &r->image.config.config.env);
	step_key_list(h, &q->env);
	why_each(&r->env->why, "ARG", &q->env);
	step_key_note(r->env, h, "the heredoc", r->script);
	step_key_note(r->env, h, "USER", r->image.config.config.user);
	step_key_note(r->env, h, "WORKDIR", r->image.config.config.working_dir);
	step_key_note(r->env, h, "the network", q->network);
	step_key_note(r->env, h, "--verify", r->env->vary ? "again" : NULL);
	runmount_key(&r->mounts, h);
	runmount_note(&r->mounts, &r->env->why);
}

/* ---- running ---- */

/* Proxies and their like are there for the command, and are no reason to run it again. */
static void add_predefined(struct run *r)
{
	const struct scope_args *given = r->st->conf.scope.given;

	for (size_t i = 0; i < given->n; i++)
		if (scope_predefined(given->v[i].name))
			arena_strs_add(
			    r->a, &r->q.env,
			    arena_printf(r->a, "%s=%s", given->v[i].name, given->v[i].value));
}

static int follow(struct run *r, struct conn *c, int *status, struct err *e)
{
	struct wire_frame f;
	int ret;

	for (;;) {
		ret = conn_next(c, &f, e);
		if (ret < 0)
			return ret;
		if (f.type == WIRE_ERR && (f.stream == 0 || f.stream == START_STREAM))
			return wire_err(&f, e);
		if (f.stream != START_STREAM)
			continue;
		if ((f.type == WIRE_STDOUT || f.type == WIRE_STDERR) && f.len)
			r->env->output(r->env->ctx, (const char *)f.data, f.len);
		if (f.type == WIRE_EXIT && f.len == 4) {
			uint32_t n;

			memcpy(&n, f.data, 4);
			*status = (int)le32toh(n);
			return 0;
		}
	}
}

/* Mount points that the start makes: what is not there before it. */
struct stubs {
	struct strs made; /* outermost first */
	int root;	  /* the root as it was */
};

/* Every component of path that the root does not have yet, outermost first. */
static void missing_parts(struct run *r, struct stubs *s, const char *path)
{
	while (*path == '/')
		path++;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		const char *part = arena_dupn(r->a, path, (size_t)(p - path) + n);
		auto_fd int fd = path_open(s->root, part, O_PATH, 0, PATH_IN_ROOT);

		if (fd < 0)
			arena_strs_add(r->a, &s->made, part);
		p += n;
		p += strspn(p, "/");
	}
}

static int find_stubs(struct run *r, struct stubs *s, struct err *e)
{
	static const char *const always[] = {
	    "dev", "proc", "sys", "etc/hosts", "etc/resolv.conf", "etc/hostname"};

	s->root = imageroot_open(r->env->store, &r->st->conf.c.rootfs.diff_ids, r->a, e);
	if (s->root < 0)
		return s->root;
	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		missing_parts(r, s, always[i]);
	for (size_t i = 0; i < r->mounts.n; i++)
		if (r->mounts.v[i].target)
			missing_parts(r, s, r->mounts.v[i].target);
	return 0;
}

static int keep(struct run *r, const struct instance *i, const struct stubs *stubs, const char *key,
		struct err *e)
{
	const char *path = arena_printf(r->a, "instances/%s/rw/upper", i->id);
	auto_fd int upper =
	    openat(store_root_fd(r->env->store), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (upper < 0)
		return err_sys(e, "'%s/%s'", store_root_path(r->env->store), path);
	for (size_t k = stubs->made.n; k-- > 0;)
		mountstub_drop(stubs->root, upper, stubs->made.v[k]);
	return step_commit(r->env, r->st,
			   &(struct step_written){upper, rootdriver_is_fuse(r->env->store, i->id)},
			   r->history, key, e);
}

/* Its files are its kernel's alone to read: its agent makes the layer, of the same form. */
static int keep_of_vm(struct run *r, const struct instance *i, const struct stubs *stubs,
		      const char *key, struct err *e)
{
	struct strs words = {0};
	struct vmlayer v = {.words = &words, .codec = r->env->codec, .may_be_none = true};
	struct layer_made made;
	int ret;

	arena_strs_add(r->a, &words, "--layer");
	if (r->env->epoch_set)
		arena_strs_add(r->a, &words,
			       arena_printf(r->a, "--epoch=%lld", (long long)r->env->epoch));
	for (size_t k = 0; k < stubs->made.n; k++)
		arena_strs_add(r->a, &words, arena_printf(r->a, "--drop=%s", stubs->made.v[k]));
	ret = vmlayer_make(r->env->s, r->env->lease, i, &v, r->st->conf.a, &made, e);
	return ret < 0 ? ret : step_keep(r->env, r->st, ret ? &made : NULL, r->history, key, e);
}

static int run_instance(struct run *r, const struct stubs *stubs, const char *key,
			struct step_result *out, struct err *e)
{
	struct start_opts o = {.attach = true, .tied = true, .reap = true, .image = &r->image};
	auto_conn struct conn c = CONN_INIT;
	struct err ignored = ERR_INIT;
	struct instance i;
	auto_fd int dir = -1;
	int status = 0, ret;

	dir = create_instance_of(r->env->s, &r->q, &r->image, r->a, &i, e);
	if (dir < 0)
		return dir;
	ret = start_instance(r->env->s, &i, dir, &o, &c, e);
	close(take_fd(&dir));
	if (ret >= 0)
		ret = follow(r, &c, &status, e);
	out->code = ret < 0 ? 0 : conn_code(status);
	if (ret >= 0 && !out->code)
		ret = r->q.isolation == PLAN_VM ? keep_of_vm(r, &i, stubs, key, e)
						: keep(r, &i, stubs, key, e);
	/* It stays for its files (vm_linger), and nobody else ends it. */
	if (r->q.isolation == PLAN_VM)
		conn_signal(r->env->s, i.id, SIGKILL, &ignored);
	ignored = ERR_INIT;
	conn_close(&c);
	remove_ended(r->env->s, i.id, 0, &ignored);
	return ret;
}

static int run_fresh(struct run *r, const char *key, struct step_result *out, struct err *e)
{
	struct stubs stubs = {.root = -1};
	/* After the key: what a secret holds is no part of it. */
	int ret = runmount_request(&r->mounts, r->script, SCRIPT, &r->q, r->a, e);

	if (ret < 0)
		return ret;
	add_predefined(r);
	ret = find_stubs(r, &stubs, e);
	if (ret >= 0)
		ret = run_instance(r, &stubs, key, out, e);
	if (stubs.root >= 0)
		close(stubs.root);
	return ret;
}

int steprun_do(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
	       struct step_result *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct run r = {.env = env, .st = st, .in = in, .a = &a, .history = in->source};
	struct sha256 h;
	char key[65];
	int ret;

	if (!st->conf.c.rootfs.diff_ids.n)
		return err_set(e, ERR_USAGE, "there is nothing to run in an image without files");
	ret = make_request(&r, e);
	if (ret >= 0) {
		step_key_begin(env, st, "run", &h);
		add_key(&r, &h);
		ret = step_cached(env, st, &h, r.history, key, e);
	}
	out->cached = ret == 1;
	if (ret == 0)
		ret = run_fresh(&r, key, out, e);
	runmount_done(&r.mounts);
	return ret < 0 ? ret : 0;
}
