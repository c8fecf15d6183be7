/* SPDX-License-Identifier: Apache-2.0 */
#include "build/stepcopy.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/str.h"
#include "build/copyplan.h"
#include "build/copytar.h"
#include "build/lockfile.h"
#include "build/step_int.h"
#include "build/treesource.h"
#include "engine/imageroot.h"
#include "fmt/digest.h"
#include "fmt/dockerfile.h"
#include "fmt/dockerignore.h"
#include "store/stage.h"
#include "sys/file.h"
#include "sys/fuseoverlay.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (64 << 10)

/* Files of one tree: the context or a stage, an archive, what was fetched, the Dockerfile's own. */
struct part {
	struct filefind_root root;
	struct filefind_list files;
	struct treesource_tree tree; /* closed with the step; empty for what others keep open */
};

struct copy {
	struct step_env *env;
	struct step_state *st;
	const struct dockerfile_instr *in;
	struct arena *a;
	struct filefind_rules rules;
	struct dockerignore exclude;
	struct part *parts;
	size_t n_parts, named;
	const char *dest, *chown, *chmod, *checksum, *history;
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
	for (const char *p = c->chmod; p && *p; p++)
		if (*p < '0' || *p > '7' || strlen(c->chmod) > 4)
			return err_set(e, ERR_USAGE,
				       "--chmod=%.32s: want an octal mode such as 0755", c->chmod);
	if (c->link && c->chown && strspn(c->chown, "0123456789:") != strlen(c->chown))
		return err_set(
		    e, ERR_USAGE,
		    "--chown=%.64s: with --link there are no names to look up, want numbers",
		    c->chown);
	if (c->checksum && !digest_valid(c->checksum))
		return err_set(e, ERR_USAGE, "--checksum=%.80s: want sha256:<64 hex digits>",
			       c->checksum);
	return 0;
}

static int read_flags(struct copy *c, struct err *e)
{
	int r = flag_word(c, "chown", &c->chown, e);

	if (r >= 0)
		r = flag_word(c, "chmod", &c->chmod, e);
	if (r >= 0)
		r = flag_word(c, "checksum", &c->checksum, e);
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

/* ---- trees ---- */

static struct part *new_part(struct copy *c)
{
	struct part *p = &c->parts[c->n_parts++];

	*p = (struct part){.root = {.fd = -1}, .tree = TREESOURCE_TREE_INIT};
	return p;
}

static struct treesource source_of(const struct copy *c)
{
	return (struct treesource){c->env->s, c->env->store, c->env->lease};
}

/* All that is in the tree, or the one file of it. */
static int find_all(struct copy *c, struct part *p, const char *pattern, struct err *e)
{
	int r;

	p->root = p->tree.root;
	r = filefind_find(&p->root, &(struct strs){.v = &pattern, .n = 1}, &c->rules, c->a,
			  &p->files, e);
	c->named += p->files.named;
	return r;
}

/* An archive that was named; what only looks like one stays a file. */
static int open_archive(struct copy *c, const struct filefind_root *r,
			const struct filefind_item *it, bool *unpacked, struct err *e)
{
	struct filefind_reader reader = FILEFIND_READER_INIT;
	auto_fd int fd = filefind_read(&reader, r, it, e);
	unsigned char head[TREESOURCE_MAGIC];
	struct treesource ts = source_of(c);
	bool none = true;
	struct part *p;
	ssize_t n = fd < 0 ? 0 : pread(fd, head, sizeof(head), 0);
	int ret = 0;

	filefind_reader_done(&reader);
	if (fd < 0)
		return fd;
	if (n < 0)
		return err_sys(e, "'%s' in %s", it->from, r->name);
	p = new_part(c);
	if (n > 0 && treesource_is_archive(head, (size_t)n))
		ret = treesource_unpack(&ts, fd, it->from, c->a, &p->tree, &none, e);
	*unpacked = ret >= 0 && !none;
	if (*unpacked) {
		ret = find_all(c, p, "/", e);
		p->root.archive = true;
		return ret;
	}
	c->n_parts--;
	return ret;
}

/* Take the archives out of a part, and what is in them into parts of their own. */
static int open_archives(struct copy *c, struct part *p, struct err *e)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->files.n; i++) {
		const struct filefind_item *it = &p->files.v[i];
		bool unpacked = false;

		if (it->alone && S_ISREG(it->st.st_mode))
			r = open_archive(c, &p->root, it, &unpacked, e);
		if (unpacked)
			c->named--; /* counted with its files, and they go into a directory */
		else
			p->files.v[kept++] = *it;
	}
	p->files.n = kept;
	return r;
}

/* What the file of an address is called: the last part of its path. */
static const char *name_of(struct copy *c, const char *url)
{
	const char *path = strstr(url, "://") + 3;
	size_t n = strcspn(path, "?#"), from = n;

	while (from && path[from - 1] != '/')
		from--;
	return from ? arena_dupn(c->a, path + from, n - from) : "";
}

static int digest_file(const struct part *p, char out[DIGEST_LEN + 1], struct err *e)
{
	struct filefind_reader reader = FILEFIND_READER_INIT;
	auto_fd int fd = filefind_read(&reader, &p->root, &p->files.v[0], e);
	auto_free unsigned char *chunk = malloc(CHUNK);
	unsigned char sum[32];
	struct sha256 h;
	ssize_t n = 0;

	filefind_reader_done(&reader);
	if (!chunk)
		abort();
	if (fd < 0)
		return fd;
	sha256_init(&h);
	while ((n = read(fd, chunk, CHUNK)) > 0)
		sha256_add(&h, chunk, (size_t)n);
	if (n < 0)
		return err_sys(e, "what was fetched");
	sha256_done(&h, sum);
	digest_print(sum, out);
	return 0;
}

/* What was there when it was first built, or an error: it cannot be had again. */
static int lock_file(struct copy *c, const struct part *p, const char *url, struct err *e)
{
	const char *was = lockfile_find(c->env->lock, LOCKFILE_URL, url);
	char now[DIGEST_LEN + 1];
	int r = digest_file(p, now, e);

	if (r < 0)
		return r;
	if (!was)
		c->env->pinned(c->env->ctx, false, url, now);
	else if (!streq(was, now))
		return err_set(e, ERR_CONFLICT, "drift: '%.200s' is %s by now; %.200s keeps %s",
			       url, now, c->env->lock->path, was);
	return 0;
}

static int fetch(struct copy *c, const char *url, struct err *e)
{
	const char *dest = c->dest, *name = name_of(c, url);
	bool unpack = flag_on(c, "unpack"), unpacked = false;
	struct treesource ts = source_of(c);
	struct part *p = new_part(c);
	int r;

	if (!*name || streq(name, ".") || streq(name, "..")) {
		if (dest[strlen(dest) - 1] == '/')
			return err_set(e, ERR_USAGE,
				       "ADD %.200s: the address names no file, so the "
				       "destination has to",
				       url);
		name = "download";
	}
	r = treesource_fetch(&ts, url, name, c->checksum, c->a, &p->tree, e);
	if (r >= 0)
		r = find_all(c, p, name, e);
	if (r >= 0 && (c->env->lock->path || c->env->lock->note))
		r = lock_file(c, p, url, e);
	if (r >= 0 && unpack)
		r = open_archive(c, &p->root, &p->files.v[0], &unpacked, e);
	if (unpacked)
		p->files.n = 0;
	return r;
}

/* URL#REF:DIRECTORY with another REF. */
static const char *at_commit(struct copy *c, const char *url, const char *commit)
{
	const char *hash = strchr(url, '#'), *dir = hash ? strchr(hash, ':') : NULL;

	return arena_printf(c->a, "%.*s#%s%s", (int)strcspn(url, "#"), url, commit, dir ? dir : "");
}

static int clone(struct copy *c, const char *url, struct err *e)
{
	const char *pin;
	struct treesource ts = source_of(c);
	struct part *p = new_part(c);
	int r;

	if (c->checksum)
		return err_set(e, ERR_UNSUPPORTED,
			       "ADD --checksum of a git repository: name the commit, as "
			       "'URL#<40 hex digits>'");
	pin = c->env->lock->path ? lockfile_find(c->env->lock, LOCKFILE_GIT, url) : NULL;
	r = treesource_git(&ts, pin ? at_commit(c, url, pin) : url, flag_on(c, "keep-git-dir"),
			   c->a, &p->tree, e);
	if (r >= 0 && (c->env->lock->path || c->env->lock->note) && !pin)
		c->env->pinned(c->env->ctx, true, url, p->tree.commit);
	return r < 0 ? r : find_all(c, p, "/", e);
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

/* Texts that stand in the Dockerfile itself, as files of a directory of their own. */
static int find_texts(struct copy *c, struct err *e)
{
	struct strs names = {0};
	struct part *p;
	int r = 0;

	if (!c->in->heredocs_n)
		return 0;
	p = new_part(c);
	r = stage_new(c->env->store, &p->tree.stage, e);
	for (size_t i = 0; r >= 0 && i < c->in->heredocs_n; i++) {
		arena_strs_add(c->a, &names, c->in->heredocs[i].name);
		r = put_text(c, stage_fd(p->tree.stage), &c->in->heredocs[i], e);
	}
	if (r < 0)
		return r;
	p->root = (struct filefind_root){.fd = stage_fd(p->tree.stage), .name = "the Dockerfile"};
	r = filefind_find(&p->root, &names, &(struct filefind_rules){0}, c->a, &p->files, e);
	c->named += p->files.named;
	return r;
}

/* ---- sources ---- */

static bool is_heredoc(const struct copy *c, const char *word)
{
	return !c->in->json && c->in->heredocs_n && strstr(word, "<<");
}

/* Words that are files of one tree; what is remote becomes a part of its own at once. */
static int read_words(struct copy *c, struct strs *paths, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i + 1 < c->in->args.n; i++) {
		const char *word = NULL;
		int kind = TREESOURCE_PATH;

		if (is_heredoc(c, c->in->args.v[i]))
			continue;
		r = scope_word(&c->st->conf.scope, c->in->args.v[i], &word, e);
		if (r >= 0 && c->in->kind == DOCKERFILE_ADD)
			kind = treesource_kind(word);
		if (r >= 0 && kind == TREESOURCE_PATH)
			arena_strs_add(c->a, paths, word);
		else if (r >= 0)
			r = kind == TREESOURCE_GIT ? clone(c, word, e) : fetch(c, word, e);
	}
	return r;
}

/* At most one part for each word, and for each archive among the files. */
static int find_files(struct copy *c, const struct strs *paths, struct err *e)
{
	const char *from = dockerfile_flag(c->in, "from");
	struct filefind_root root = c->env->context;
	struct filefind_list files;
	struct part *parts, *p;
	size_t alone = 0;
	int r = from ? c->env->from(c->env->ctx, from, &root, e) : 0;

	if (r >= 0)
		r = filefind_find(&root, paths, &c->rules, c->a, &files, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < files.n; i++)
		alone += files.v[i].alone;
	parts = arena_array(c->a, c->n_parts + alone + 2, sizeof(*parts));
	memcpy(parts, c->parts, c->n_parts * sizeof(*parts));
	c->parts = parts;
	p = new_part(c);
	p->root = root;
	p->files = files;
	c->named += files.named;
	return c->in->kind == DOCKERFILE_ADD ? open_archives(c, p, e) : 0;
}

static int find_sources(struct copy *c, struct err *e)
{
	struct strs paths = {0};
	int r;

	/* Each word may bring an archive beside what it is; and there are the texts. */
	c->parts = arena_array(c->a, 2 * c->in->args.n + 2, sizeof(*c->parts));
	r = read_words(c, &paths, e);
	if (r >= 0 && (c->checksum && paths.n))
		r = err_set(e, ERR_USAGE, "--checksum is for what is fetched, and '%.200s' is not",
			    paths.v[0]);
	if (r >= 0 && (paths.n || dockerfile_flag(c->in, "from")))
		r = find_files(c, &paths, e);
	return r < 0 ? r : find_texts(c, e);
}

static void add_words(struct copy *c, struct sha256 *h)
{
	step_key_note(c->env, h, "the destination", c->dest);
	step_key_note(c->env, h, "--chown", c->chown);
	step_key_note(c->env, h, "--chmod", c->chmod);
	step_key_note(c->env, h, "--link", c->link ? "link" : NULL);
}

static int add_key(struct copy *c, struct sha256 *h, struct err *e)
{
	add_words(c, h);
	for (size_t i = 0; i < c->n_parts; i++) {
		const struct part *p = &c->parts[i];
		unsigned char sum[32];
		int r = filefind_digest(&p->root, &p->files, sum, &c->env->why, e);

		if (r < 0)
			return r;
		step_key_text(h, p->root.archive ? "archive" : p->root.owners ? "owners" : NULL);
		sha256_add(h, sum, sizeof(sum));
	}
	return 0;
}

/* Addresses whose content --checksum says: 1 and the key is whole, without a look at the network;
 * 0: there is something else. */
static int add_checksum(struct copy *c, struct sha256 *h, struct err *e)
{
	add_words(c, h);
	step_key_note(c->env, h, "--checksum", c->checksum);
	step_key_note(c->env, h, "--unpack", flag_on(c, "unpack") ? "unpack" : NULL);
	for (size_t i = 0; i + 1 < c->in->args.n; i++) {
		const char *word = NULL;
		int r = scope_word(&c->st->conf.scope, c->in->args.v[i], &word, e);

		if (r < 0)
			return r;
		if (treesource_kind(word) != TREESOURCE_WEB || is_heredoc(c, word))
			return 0;
		step_key_note(c->env, h, "the file's name", name_of(c, word));
	}
	return 1;
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
	for (size_t i = 0; r >= 0 && i < c->n_parts; i++)
		r = copyplan_add(&c->plan, &c->parts[i].root, &c->parts[i].files, e);
	return r < 0 ? r : copyplan_end(&c->plan, e);
}

static int copy_fresh(struct copy *c, const char *key, struct err *e)
{
	const struct strs *layers = &c->st->conf.c.rootfs.diff_ids;
	auto_fd int root = -1;
	int r;

	/* --link looks at nothing that is below. */
	if (!c->link && layers->n) {
		root = imageroot_open(c->env->store, layers, c->a, e);
		if (root < 0)
			return root;
	}
	c->to = (struct copyplan_dest){.root_fd = root,
				       .path = c->dest,
				       .named = c->named,
				       .owner_set = c->chown != NULL,
				       .mode_set = c->chmod != NULL};
	r = make_plan(c, e);
	return r < 0 ? r
		     : step_stream(c->env, c->st, c->plan.n ? write_layer : NULL, c, c->history,
				   key, e);
}

/* 1: it was there; 0: its files are found, and key is its key. */
static int find_cached(struct copy *c, char key[65], struct err *e)
{
	/* --link does not depend on what is below. */
	struct step_state none = {.conf = {.a = c->a}}, *below = c->link ? &none : c->st;
	struct sha256 h;
	int r = 0;

	if (c->checksum && c->in->kind == DOCKERFILE_ADD) {
		step_key_begin(c->env, below, "fetch", &h);
		r = add_checksum(c, &h, e);
		if (r == 1) {
			r = step_cached(c->env, c->st, &h, c->history, key, e);
			return r ? r : find_sources(c, e);
		}
	}
	if (r >= 0)
		r = find_sources(c, e);
	if (r < 0)
		return r;
	step_key_begin(c->env, below, "copy", &h);
	r = add_key(c, &h, e);
	return r < 0 ? r : step_cached(c->env, c->st, &h, c->history, key, e);
}

int stepcopy_do(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
		struct step_result *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct copy c = {.env = env, .st = st, .in = in, .a = &a, .history = in->source};
	char key[65];
	int r = read_flags(&c, e);

	if (r >= 0)
		r = read_dest(&c, e);
	if (r >= 0)
		r = find_cached(&c, key, e);
	out->cached = r == 1;
	if (r == 0)
		r = copy_fresh(&c, key, e);
	for (size_t i = 0; i < c.n_parts; i++)
		treesource_close(&c.parts[i].tree);
	return r < 0 ? r : 0;
}

/* ---- WORKDIR ---- */

/* Every directory of path that is not there, owned by whoever USER says. */
static int make_dirs(int root, const char *path, uint32_t uid, uint32_t gid, struct arena *a)
{
	for (const char *p = path + strspn(path, "/"); *p;) {
		size_t n = (size_t)(p - path) + strcspn(p, "/");
		const char *part = arena_dupn(a, path + 1, n - 1);
		auto_fd int fd = path_open(root, part, O_PATH | O_DIRECTORY, 0, PATH_IN_ROOT);
		bool made = fd == -ENOENT;

		if (made)
			fd = path_mkdirs(root, part, 0755, PATH_IN_ROOT);
		if (fd < 0)
			return fd;
		if (made && (uid || gid) && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
			return -errno;
		p = path + n + strspn(path + n, "/");
	}
	return 0;
}

static int make_workdir(struct step_env *env, struct step_state *st, const char *path,
			struct step_upper *u, struct arena *a, struct err *e)
{
	const char *user = st->conf.c.config.user;
	uint32_t uid = 0, gid = 0;
	const struct strs *layers = &st->conf.c.rootfs.diff_ids;
	auto_fuseoverlay struct fuseoverlay served = FUSEOVERLAY_INIT;
	struct imageroot_top top = {.upper = u->upper, .work = u->work, .served = &served};
	auto_fd int root = layers->n ? imageroot_writable(env->store, layers, &top, a, e)
				     : fcntl(u->fd, F_DUPFD_CLOEXEC, 3);
	int r;

	if (root < 0)
		return root;
	u->fuse = served.pid > 0;
	r = user && *user ? step_owner(root, user, &uid, &gid, e) : 0;
	if (r < 0)
		return err_wrap(e, r, "USER");
	r = make_dirs(root, path, uid, gid, a);
	if (r >= 0)
		return 0;
	errno = -r;
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
	step_key_note(env, &h, "the directory", path);
	step_key_note(env, &h, "the user", st->conf.c.config.user);
	r = step_cached(env, st, &h, in->source, key, e);
	out->cached = r == 1;
	if (r == 0) {
		r = step_upper_new(env, &a, &u, e);
		if (r < 0)
			return r;
		r = make_workdir(env, st, path, &u, &a, e);
		if (r >= 0)
			r = step_commit(env, st, &(struct step_written){u.fd, u.fuse}, in->source,
					key, e);
		step_upper_free(&u);
	}
	if (r >= 0)
		st->conf.c.config.working_dir = path;
	return r < 0 ? r : 0;
}
