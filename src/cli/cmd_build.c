/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "build/builder.h"
#include "build/buildout.h"
#include "build/verify.h"
#include "cli/buildview.h"
#include "cli/cmd.h"
#include "engine/session.h"
#include "fmt/reference.h"
#include "fmt/utf8.h"
#include "spec/plan.h"
#include "sys/child.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const codec_names[] = {"none", "gzip", "zstd", NULL};

struct build_args {
	const char *file, *target, *platform, *network, *iidfile, *metadata, *lock;
	struct opt_list attest, provenance, sbom, cache_from, cache_to, tag, no_cache_filter,
	    build_arg, build_context, label, add_host, secret, ssh, output;
	bool no_cache, pull, check, reproducible, explain, verify, squash, debug_shell, quiet;
	int progress, codec, isolation;
	uint64_t memory, shm;
	int64_t cpus;
};

#define LIST(member, name_, letter_, arg_, help_)                                                  \
	OPT(struct build_args, member, .name = name_, .letter = letter_, .type = OPT_LIST,         \
	    .arg = arg_, .help = help_)
#define STR(member, name_, letter_, arg_, help_)                                                   \
	OPT(struct build_args, member, .name = name_, .letter = letter_, .type = OPT_STR,          \
	    .arg = arg_, .help = help_)
#define BOOL(member, name_, help_)                                                                 \
	OPT(struct build_args, member, .name = name_, .type = OPT_BOOL, .help = help_)

static const struct opt opts[] = {
    LIST(add_host, "add-host", 0, "NAME:ADDRESS", "add a line to /etc/hosts of the steps"),
    LIST(attest, "attest", 0, "type=TYPE", "say about the image: type=provenance or type=sbom"),
    LIST(build_arg, "build-arg", 0, "NAME[=VALUE]", "a value for an ARG"),
    LIST(build_context, "build-context", 0, "NAME=CONTEXT",
	 "another context, or docker-image://REF, oci-layout://DIR, by this name"),
    LIST(cache_from, "cache-from", 0, "CACHE",
	 "use steps of type=registry,ref=NAME or type=local,src=DIR"),
    LIST(cache_to, "cache-to", 0, "CACHE",
	 "keep steps for others: type=registry,ref=NAME, type=local,dest=DIR or type=inline"),
    BOOL(check, "check", "look for what is better avoided, and build nothing"),
    OPT(struct build_args, codec, .name = "compression", .type = OPT_ENUM, .values = codec_names,
	.arg = "none|gzip|zstd", .preset = "gzip", .help = "how new layers are compressed"),
    OPT(struct build_args, cpus, .name = "cpus", .type = OPT_DECIMAL, .arg = "N", .min = 10000000,
	.max = 1024000000000, .help = "processors for each step"),
    BOOL(explain, "explain", "say of each step that is not in the cache what has changed"),
    BOOL(debug_shell, "debug-shell", "when a RUN fails, leave a way into what it stood on"),
    OPT(struct build_args, file, .name = "file", .letter = 'f', .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "the Dockerfile; - is stdin"),
    OPT(struct build_args, iidfile, .name = "iidfile", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "write the image's id to a file"),
    OPT(struct build_args, isolation, .name = "isolation", .type = OPT_ENUM,
	.values = plan_isolation_names, .arg = "container|vm", .preset = "container",
	.help = "what each RUN runs in"),
    LIST(label, "label", 0, "KEY=VALUE", "a label for the image"),
    OPT(struct build_args, lock, .name = "lock", .type = OPT_STR, .arg = "FILE", .complete = "file",
	.help = "images, addresses and git references are what this file says; "
		"it is made, or added to"),
    OPT(struct build_args, memory, .name = "memory", .letter = 'm', .type = OPT_BYTES,
	.arg = "SIZE", .help = "memory limit of each step"),
    OPT(struct build_args, metadata, .name = "metadata-file", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "write the image's digests and names there, as JSON"),
    STR(network, "network", 0, "NET",
	"network of the steps: bridge (also called default), none or host"),
    BOOL(no_cache, "no-cache", "do every step again"),
    LIST(no_cache_filter, "no-cache-filter", 0, "STAGE[,STAGE]", "do every step of these again"),
    LIST(output, "output", 'o', "TYPE",
	 "also write it: type=oci|docker|tar,dest=FILE or type=local,dest=DIR"),
    STR(platform, "platform", 0, "OS/ARCH", "what to build for; only the host's own is possible"),
    OPT(struct build_args, progress, .name = "progress", .type = OPT_ENUM,
	.values = buildview_names, .arg = "auto|plain|tty|rawjson|quiet", .preset = "auto",
	.help = "what is shown meanwhile, on stderr"),
    LIST(provenance, "provenance", 0, "true|false|mode=MODE",
	 "keep with the image where it comes from (SLSA)"),
    BOOL(pull, "pull", "ask the registries for newer base images"),
    OPT(struct build_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "show nothing but the id"),
    BOOL(reproducible, "reproducible",
	 "cut all times at that of the last commit, or newest file, of the context"),
    LIST(sbom, "sbom", 0, "true|false|format=FORMAT",
	 "keep with the image what packages are in it: format=spdx or cyclonedx"),
    LIST(secret, "secret", 0, "id=ID[,src=FILE]", "a file for RUN --mount=type=secret"),
    OPT(struct build_args, shm, .name = "shm-size", .type = OPT_BYTES, .arg = "SIZE",
	.help = "size of /dev/shm of the steps"),
    BOOL(squash, "squash", "make one layer of all that are new"),
    LIST(ssh, "ssh", 0, "ID[=SOCKET]", "an ssh agent for RUN --mount=type=ssh"),
    LIST(tag, "tag", 't', "NAME[:TAG]", "a name for the image"),
    STR(target, "target", 0, "STAGE", "build this stage and what it needs"),
    BOOL(verify, "verify",
	 "build a second time, without the cache and with other settings, and compare (implies "
	 "--reproducible)"),
    OPT_END,
};

/* ---- options ---- */

static struct strs list(const struct opt_list *l)
{
	return (struct strs){.v = l->v, .n = l->n};
}

/* "id=ID,src=FILE" to "ID=FILE"; "id=ID" names a file of that name. */
static int read_secret(const char *text, struct arena *a, struct strs *out, struct err *e)
{
	const char *id = NULL, *src = NULL;

	for (const char *p = text; *p; p += strcspn(p, ","), p += *p == ',') {
		char *field = arena_dupn(a, p, strcspn(p, ",")), *value = strchr(field, '=');

		if (value)
			*value++ = 0;
		if (value && streq(field, "id"))
			id = value;
		else if (value && (streq(field, "src") || streq(field, "source")))
			src = value;
		else if (!value || !streq(field, "type") || !streq(value, "file"))
			return err_set(e, ERR_USAGE, "--secret '%s': want id=ID,src=FILE", text);
	}
	if (!id || !*id || strchr(id, '='))
		return err_set(e, ERR_USAGE, "--secret '%s': want id=ID,src=FILE", text);
	src = realpath(src ? src : id, NULL);
	if (!src)
		return err_sys(e, "--secret '%s'", text);
	arena_strs_add(a, out, arena_printf(a, "%s=%s", id, src));
	free((char *)(uintptr_t)src);
	return 0;
}

/* "default" is $SSH_AUTH_SOCK's agent. */
static int read_ssh(const char *text, char *const *environment, struct arena *a, struct strs *out,
		    struct err *e)
{
	const char *value = strchr(text, '='), *socket = value ? value + 1 : NULL;
	struct stat st;

	for (; !socket && *environment; environment++)
		socket = str_after(*environment, "SSH_AUTH_SOCK=");
	if (!socket || !*socket || *text == '=')
		return err_set(e, ERR_USAGE,
			       "--ssh '%s': want ID=SOCKET, or an agent in $SSH_AUTH_SOCK", text);
	if (stat(socket, &st) < 0)
		return err_sys(e, "--ssh '%s': '%s'", text, socket);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_UNSUPPORTED,
			       "--ssh '%s': '%s' is no agent's socket; add keys to an agent", text,
			       socket);
	socket = realpath(socket, NULL);
	if (!socket)
		return err_sys(e, "--ssh '%s'", text);
	arena_strs_add(a, out,
		       arena_printf(a, "%.*s=%s",
				    (int)(value ? (size_t)(value - text) : strlen(text)), text,
				    socket));
	free((char *)(uintptr_t)socket);
	return 0;
}

static int read_outputs(const struct build_args *b, struct arena *a, struct buildout *out,
			struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < b->output.n; i++)
		r = buildout_parse(b->output.v[i], a, &out[i], e);
	return r;
}

static int read_opts(const struct build_args *b, const char *context, char *const *environment,
		     struct arena *a, struct builder_opts *o, struct err *e)
{
	int r = 0;

	*o = (struct builder_opts){.context = context,
				   .file = b->file,
				   .tags = list(&b->tag),
				   .args = list(&b->build_arg),
				   .contexts = list(&b->build_context),
				   .labels = list(&b->label),
				   .cache_to = list(&b->cache_to),
				   .cache_from = list(&b->cache_from),
				   .hosts = list(&b->add_host),
				   .target = b->target,
				   .platform = b->platform,
				   .network = b->network,
				   .codec = codec_names[b->codec],
				   .no_cache = b->no_cache,
				   .isolation = b->isolation,
				   .lock = b->lock,
				   .squash = b->squash,
				   .debug = b->debug_shell,
				   .pull = b->pull,
				   .check = b->check,
				   .reproducible = b->reproducible || b->verify,
				   .explain = b->explain,
				   .memory_bytes = b->memory,
				   .shm_bytes = b->shm,
				   .nano_cpus = b->cpus,
				   .progress = buildview_event};
	if (o->network && streq(o->network, "default"))
		o->network = NULL;
	if (o->network && !streq(o->network, "none") && !streq(o->network, "host") &&
	    !streq(o->network, "bridge"))
		return err_set(e, ERR_USAGE, "--network=%s: want default, bridge, none or host",
			       o->network);
	for (size_t i = 0; i < b->build_context.n; i++)
		if (!strchr(b->build_context.v[i], '=') || *b->build_context.v[i] == '=')
			return err_set(e, ERR_USAGE, "--build-context '%s': want NAME=VALUE",
				       b->build_context.v[i]);
	for (size_t i = 0; i < b->no_cache_filter.n; i++)
		for (const char *p = b->no_cache_filter.v[i]; *p; p += *p == ',') {
			size_t n = strcspn(p, ",");

			arena_strs_add(a, &o->no_cache_filter, arena_dupn(a, p, n));
			p += n;
		}
	for (size_t i = 0; r >= 0 && i < b->secret.n; i++)
		r = read_secret(b->secret.v[i], a, &o->secrets, e);
	for (size_t i = 0; r >= 0 && i < b->ssh.n; i++)
		r = read_ssh(b->ssh.v[i], environment, a, &o->ssh, e);
	return r;
}

static int read_wishes(const struct build_args *b, struct provenance_wish *w, struct err *e)
{
	const struct {
		const char *option;
		const struct opt_list *l;
	} all[] = {{"provenance", &b->provenance}, {"sbom", &b->sbom}, {"attest", &b->attest}};
	int r = 0;

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; r >= 0 && i < all[k].l->n; i++)
			r = provenance_parse(all[k].option, all[k].l->v[i], w, e);
	return r;
}

/* ---- the end ---- */

static int write_id(const char *file, const char *id, struct err *e)
{
	errno = -file_replace_path(file, id, strlen(id), 0644, FILE_LAZY);
	return errno ? err_sys(e, "--iidfile '%s'", file) : 0;
}

static int report(const struct build_args *b, const struct builder_result *out, bool to_stdout,
		  struct arena *a, struct err *e)
{
	int r;

	if (b->check) {
		if (!out->warnings)
			printf("no warnings\n");
		return out->failed_check ? 1 : 0;
	}
	if (b->iidfile) {
		r = write_id(b->iidfile, out->id, e);
		if (r < 0)
			return r;
	}
	if (b->metadata) {
		r = buildout_metadata(b->metadata, out, e);
		if (r < 0)
			return r;
	}
	/* Where an output goes to stdout, the id would only be in its way. */
	if (!to_stdout)
		printf("%s\n", out->id);
	for (size_t i = 0; !b->quiet && b->progress != BUILDVIEW_QUIET && i < out->names.n; i++)
		fprintf(stderr, "named %s\n", reference_familiar(a, out->names.v[i]));
	return 0;
}

/* Into what the failed RUN stood on, on a terminal at once; else somebody else may go there. */
static void debug_shell(struct session *s, const struct build_args *b, const char *image,
			const struct err *why)
{
	const char *argv[] = {"caisson", "--root",    NULL, "--run-root",  NULL, "run", "--rm",
			      "-it",	 "--network", NULL, "--isolation", NULL, NULL,	NULL};
	struct child_fd fds[] = {{0, 0}, {1, 1}, {2, 2}};
	struct child_opts o = {.path = s->self,
			       .argv = argv,
			       .env = (const char *const *)s->environment,
			       .fds = fds,
			       .nfds = 3};
	pid_t pid;

	argv[2] = s->root;
	argv[4] = s->run_root;
	argv[9] = b->network && !streq(b->network, "default") ? b->network : "bridge";
	argv[11] = plan_isolation_names[b->isolation];
	argv[12] = image;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		fprintf(stderr,
			"what it stood on: caisson run --rm -it --network %s --isolation %s %s\n",
			argv[9], argv[11], image);
		return;
	}
	fprintf(stderr, "caisson: %s\na shell in what it stood on; its end ends the build\n",
		why->msg);
	pid = child_start(&o);
	if (pid > 0)
		child_wait(pid, NULL);
	builder_forget(s, image, NULL);
}

/* On failure *out is that of the second build. */
static int check_again(struct session *s, const struct builder_opts *o, struct buildview *view,
		       struct builder_result *out, struct arena *a, struct err *e)
{
	struct builder_result again = {0};
	struct verify v;
	int r;

	buildview_say(view, "verify: once more, without the cache");
	r = verify_run(s, o, out, &again, a, &v, e);
	if (r < 0) {
		*out = again;
		return err_wrap(e, r, "verify");
	}
	if (v.same) {
		buildview_say(view, arena_printf(a, "verify: the same image, %s", out->manifest));
		return 0;
	}
	buildview_close(view, 0, NULL);
	view->how = BUILDVIEW_QUIET;
	if (v.layer)
		fprintf(stderr, "verify: %s\n", v.layer);
	if (v.file) {
		auto_buf struct buf text = BUF_INIT(1 << 20);

		utf8_visible(&text, v.file);
		fprintf(stderr, "verify: %s\n", text.p);
	}
	return err_set(e, ERR_CONFLICT, "verify: the second build is another image: %s, not %s",
		       v.second, out->manifest);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct build_args *b = args;
	auto_arena struct arena a = ARENA_INIT;
	struct buildview view;
	struct builder_result out = {0};
	struct builder_opts o;
	struct buildout *outputs = arena_array(&a, b->output.n + 1, sizeof(*outputs));
	bool to_stdout = false;
	int r = read_opts(b, argv[0], s->environment, &a, &o, e);

	(void)argc;
	if (r >= 0)
		r = read_wishes(b, &o.attest, e);
	if (r >= 0)
		r = read_outputs(b, &a, outputs, e);
	if (r < 0)
		return r;
	buildview_open(&view, b->quiet ? BUILDVIEW_QUIET : b->progress, s->environment);
	o.arg = &view;
	r = builder_run(s, &o, &a, &out, e);
	if (r >= 0 && b->verify && !b->check)
		r = check_again(s, &o, &view, &out, &a, e);
	buildview_close(&view, r < 0 ? out.number : 0, r < 0 && e ? e->msg : NULL);
	for (size_t i = 0; r >= 0 && !b->check && i < b->output.n; i++) {
		to_stdout |= outputs[i].dest && streq(outputs[i].dest, "-");
		r = buildout_write(s, &outputs[i], &out, e);
	}
	if (r >= 0)
		return report(b, &out, to_stdout, &a, e);
	if (out.code)
		buildview_tail(&view, out.number);
	if (out.excerpt && view.how != BUILDVIEW_RAWJSON)
		fprintf(stderr, "%s", out.excerpt);
	if (out.before)
		debug_shell(s, b, out.before, e);
	/* What is wrong in a file is no wrong use of the command: 1, not 2. */
	if (out.line && e->kind == ERR_USAGE)
		e->kind = ERR_CORRUPT;
	return r;
}

extern const struct cmd cmd_build;
const struct cmd cmd_build = {
    .name = "build",
    .aliases = (const char *const[]){"image build", "builder build", NULL},
    .group = "images",
    .operands = "CONTEXT",
    .summary = "build an image from a Dockerfile",
    .opts = opts,
    .args_size = sizeof(struct build_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
