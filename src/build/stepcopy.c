/* SPDX-License-Identifier: Apache-2.0 */
#include "build/stepcopy.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "build/copyplan.h"
#include "build/copytar.h"
#include "build/step_int.h"
#include "engine/imageroot.h"
#include "fmt/dockerfile.h"
#include "fmt/dockerignore.h"
#include "store/stage.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copy {
	struct step_env *env;
	struct step_state *st;
	const struct dockerfile_instr *in;
	struct arena *a;
	struct filefind_root from;
	struct filefind_rules rules;
	struct dockerignore exclude;
	struct filefind_list files;
	/* Texts that stand in the Dockerfile itself, as files of a directory of their own. */
	struct filefind_root text;
	struct filefind_list texts;
	struct stage *text_stage;
	const char *dest, *chown, *chmod, *history;
	bool link;
	struct copyplan_dest to;
	struct copyplan plan;
};

/* ---- words ---- */

static int flag_word(struct copy *c, const char *name, const char **out, struct err *e)
{
	const char *value = dockerfile_flag(c->in, name);

	*out = NULL;
	return value ? scope_word(&c->st->conf.scope, value, out, e) : 0;
}

static bool flag_on(const struct copy *c, const char *name)
{
	const char *value = dockerfile_flag(c->in, name);

	return value && !streq(value, "false");
}

static int read_excludes(struct copy *c, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < c->in->flags_n; i++)
		if (streq(c->in->flags[i].name, "exclude"))
			r = dockerignore_add(&c->exclude, c->in->flags[i].value, c->a, e);
	if (c->exclude.n)
		c->rules.exclude = &c->exclude;
	return r;
}

static int check_flags(struct copy *c, struct err *e)
{
	static const char *const remote[] = {"checksum", "keep-git-dir", "unpack"};

	for (size_t i = 0; i < sizeof(remote) / sizeof(*remote); i++)
		if (dockerfile_flag(c->in, remote[i]))
			return err_set(e, ERR_UNSUPPORTED,
				       "ADD --%s is about what is fetched or unpacked, which ADD "
				       "does not do here",
				       remote[i]);
	for (const char *p = c->chmod; p && *p; p++)
		if (*p < '0' || *p > '7' || strlen(c->chmod) > 4)
			return err_set(e, ERR_USAGE,
				       "--chmod=%.32s: want an octal mode such as 0755", c->chmod);
	if (c->link && c->chown && strspn(c->chown, "0123456789:") != strlen(c->chown))
		return err_set(
		    e, ERR_USAGE,
		    "--chown=%.64s: with --link there are no names to look up, want numbers",
		    c->chown);
	return 0;
}

static int read_flags(struct copy *c, struct err *e)
{
	int r = flag_word(c, "chown", &c->chown, e);

	if (r >= 0)
		r = flag_word(c, "chmod", &c->chmod, e);
	c->link = flag_on(c, "link");
	c->rules.parents = flag_on(c, "parents");
	if (r >= 0)
		r = read_excludes(c, e);
	return r < 0 ? r : check_flags(c, e);
}

/* The destination, absolute; a '/' at its end means something and stays. */
static int read_dest(struct copy *c, struct err *e)
{
	const char *word = NULL, *dir = c->st->conf.c.config.working_dir;
	int r = scope_word(&c->st->conf.scope, c->in->args.v[c->in->args.n - 1], &word, e);

	if (r < 0)
		return r;
	if (!*word)
		return err_set(e, ERR_USAGE, "the destination is empty");
	if (*word == '/')
		c->dest = word;
	else
		c->dest = arena_printf(c->a, "%s/%s", dir ? dir : "", streq(word, ".") ? "" : word);
	/* "." and "x/." name a directory as surely as a '/' does. */
	if (strlen(word) > 1 && streq(word + strlen(word) - 2, "/."))
		c->dest = arena_printf(c->a, "%s/", c->dest);
	return 0;
}

static bool is_remote(const char *word)
{
	return str_after(word, "http://") || str_after(word, "https://") ||
	       str_after(word, "git@") || str_after(word, "git://") || str_after(word, "ssh://");
}

/* Only ADD gives an archive a meaning; that it would be unpacked must not be passed over. */
static int check_archive(struct copy *c, struct err *e)
{
	for (size_t i = 0; c->in->kind == DOCKERFILE_ADD && i < c->files.n; i++) {
		const struct filefind_item *it = &c->files.v[i];
		unsigned char b[262] = {0};
		auto_fd int fd = -1;

		if (!it->alone || !S_ISREG(it->st.st_mode))
			continue;
		fd = path_open(c->from.fd, it->from, O_RDONLY | O_NONBLOCK, 0, PATH_IN_ROOT);
		if (fd < 0 || pread(fd, b, sizeof(b), 0) < 2)
			continue;
		if (!memcmp(b + 257, "ustar", 5) || (b[0] == 0x1f && b[1] == 0x8b) ||
		    !memcmp(b, "BZh", 3) ||
		    !memcmp(b,
			    "\xfd"
			    "7zXZ",
			    5) ||
		    !memcmp(b, "\x28\xb5\x2f\xfd", 4))
			return err_set(
			    e, ERR_UNSUPPORTED,
			    "ADD %s: unpacking archives is not supported; COPY it, and unpack "
			    "it with RUN",
			    it->from);
	}
	return 0;
}

/* ---- heredocs ---- */

static int put_text(struct copy *c, int dir, const struct dockerfile_heredoc *h, struct err *e)
{
	const char *text = h->content;
	int r = 0;

	if (strchr(h->name, '/') || streq(h->name, ".") || streq(h->name, ".."))
		return err_set(e, ERR_USAGE, "'%s' is no name for a file", h->name);
	if (h->expand)
		r = scope_text(&c->st->conf.scope, text, &text, e);
	if (r < 0)
		return r;
	errno = -file_replace(dir, h->name, text, strlen(text), 0644, FILE_LAZY);
	return errno ? err_sys(e, "'%s'", h->name) : 0;
}

static int find_texts(struct copy *c, struct err *e)
{
	struct strs names = {0};
	int r = 0;

	if (!c->in->heredocs_n)
		return 0;
	r = stage_new(c->env->store, &c->text_stage, e);
	for (size_t i = 0; r >= 0 && i < c->in->heredocs_n; i++) {
		arena_strs_add(c->a, &names, c->in->heredocs[i].name);
		r = put_text(c, stage_fd(c->text_stage), &c->in->heredocs[i], e);
	}
	if (r < 0)
		return r;
	c->text = (struct filefind_root){.fd = stage_fd(c->text_stage), .name = "the Dockerfile"};
	return filefind_find(&c->text, &names, &(struct filefind_rules){0}, c->a, &c->texts, e);
}

/* ---- sources ---- */

static bool is_heredoc(const struct copy *c, const char *word)
{
	return !c->in->json && c->in->heredocs_n && strstr(word, "<<");
}

static int find_sources(struct copy *c, struct err *e)
{
	const char *from = dockerfile_flag(c->in, "from");
	struct strs words = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i + 1 < c->in->args.n; i++) {
		const char *word = NULL;

		if (is_heredoc(c, c->in->args.v[i]))
			continue;
		r = scope_word(&c->st->conf.scope, c->in->args.v[i], &word, e);
		if (r >= 0 && c->in->kind == DOCKERFILE_ADD && is_remote(word))
			r = err_set(e, ERR_UNSUPPORTED, "ADD %.200s: fetching is not supported",
				    word);
		if (r >= 0)
			arena_strs_add(c->a, &words, word);
	}
	if (r < 0)
		return r;
	c->from = c->env->context;
	if (from)
		r = c->env->from(c->env->ctx, from, &c->from, e);
	if (r >= 0)
		r = filefind_find(&c->from, &words, &c->rules, c->a, &c->files, e);
	if (r >= 0)
		r = find_texts(c, e);
	/* One directory for all, however many trees they come from. */
	c->files.named += c->texts.named;
	return r < 0 ? r : check_archive(c, e);
}

static int add_key(struct copy *c, struct sha256 *h, struct err *e)
{
	const struct filefind_root *roots[] = {&c->from, &c->text};
	const struct filefind_list *lists[] = {&c->files, &c->texts};
	bool owners = dockerfile_flag(c->in, "from") != NULL;

	step_key_text(h, c->dest);
	step_key_text(h, c->chown);
	step_key_text(h, c->chmod);
	step_key_text(h, c->link ? "link" : NULL);
	step_key_text(h, owners ? "owners" : NULL);
	for (int i = 0; i < 2; i++) {
		unsigned char sum[32];
		int r = filefind_digest(roots[i], lists[i], owners && i == 0, sum, e);

		if (r < 0)
			return r;
		sha256_add(h, sum, sizeof(sum));
	}
	return 0;
}

/* ---- the layer ---- */

static int write_layer(void *ctx, int fd, struct err *e)
{
	const struct copy *c = ctx;

	return copytar_write(&c->plan, c->env->epoch_set ? c->env->epoch : INT64_MAX, fd, e);
}

static int make_plan(struct copy *c, struct err *e)
{
	struct copyplan_dest *d = &c->to;
	int r = 0;

	if (c->chmod)
		d->mode = (mode_t)strtoul(c->chmod, NULL, 8);
	if (c->chown)
		r = step_owner(d->root_fd, c->chown, &d->uid, &d->gid, e);
	if (r >= 0)
		r = copyplan_begin(&c->plan, d, c->a, e);
	if (r >= 0)
		r = copyplan_add(&c->plan, &c->from, &c->files, e);
	if (r >= 0)
		r = copyplan_add(&c->plan, &c->text, &c->texts, e);
	return r < 0 ? r : copyplan_end(&c->plan, e);
}

static int copy_fresh(struct copy *c, const char *key, struct err *e)
{
	const struct strs *layers = &c->st->conf.c.rootfs.diff_ids;
	auto_fd int root = -1;
	int r;

	/* --link looks at nothing that is below. */
	if (!c->link && layers->n) {
		root = imageroot_open(c->env->store, layers, NULL, NULL, c->a, e);
		if (root < 0)
			return root;
	}
	c->to = (struct copyplan_dest){.root_fd = root,
				       .path = c->dest,
				       .named = c->files.named,
				       .keep_owner = dockerfile_flag(c->in, "from") != NULL,
				       .owner_set = c->chown != NULL,
				       .mode_set = c->chmod != NULL};
	r = make_plan(c, e);
	return r < 0 ? r
		     : step_stream(c->env, c->st, c->plan.n ? write_layer : NULL, c, c->history,
				   key, e);
}

int stepcopy_do(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
		struct step_result *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct copy c = {.env = env,
			 .st = st,
			 .in = in,
			 .a = &a,
			 .from = {.fd = -1},
			 .text = {.fd = -1},
			 .history = in->source};
	struct step_state none = {.conf = {.a = &a}};
	struct sha256 h;
	char key[65];
	int r = read_flags(&c, e);

	if (r >= 0)
		r = read_dest(&c, e);
	if (r >= 0)
		r = find_sources(&c, e);
	if (r >= 0) {
		/* --link does not depend on what is below. */
		step_key_begin(env, c.link ? &none : st, "copy", &h);
		r = add_key(&c, &h, e);
	}
	if (r >= 0)
		r = step_cached(env, st, &h, c.history, key, e);
	out->cached = r == 1;
	if (r == 0)
		r = copy_fresh(&c, key, e);
	stage_free(c.text_stage);
	return r < 0 ? r : 0;
}

/* ---- WORKDIR ---- */

static int make_workdir(struct step_env *env, struct step_state *st, const char *path,
			struct step_upper *u, struct arena *a, struct err *e)
{
	const struct strs *layers = &st->conf.c.rootfs.diff_ids;
	auto_fd int root = layers->n ? imageroot_open(env->store, layers, u->upper, u->work, a, e)
				     : fcntl(u->fd, F_DUPFD_CLOEXEC, 3);
	auto_fd int fd = -1;

	if (root < 0)
		return root;
	fd = path_mkdirs(root, path[1] ? path + 1 : ".", 0755, PATH_IN_ROOT);
	if (fd >= 0)
		return 0;
	errno = -fd;
	return errno == ENOTDIR ? err_set(e, ERR_USAGE, "WORKDIR '%s' is no directory", path)
				: err_sys(e, "WORKDIR '%s'", path);
}

int stepcopy_workdir(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
		     struct step_result *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *path = NULL;
	struct step_upper u;
	struct sha256 h;
	char key[65];
	int r = imageconf_workdir(&st->conf, in, &path, e);

	if (r < 0)
		return r;
	step_key_begin(env, st, "workdir", &h);
	step_key_text(&h, path);
	r = step_cached(env, st, &h, in->source, key, e);
	out->cached = r == 1;
	if (r == 0) {
		r = step_upper_new(env, &a, &u, e);
		if (r < 0)
			return r;
		r = make_workdir(env, st, path, &u, &a, e);
		if (r >= 0)
			r = step_commit(env, st, u.fd, in->source, key, e);
		step_upper_free(&u);
	}
	if (r >= 0)
		st->conf.c.config.working_dir = path;
	return r < 0 ? r : 0;
}
