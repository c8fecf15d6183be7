/* SPDX-License-Identifier: Apache-2.0 */
#include "build/treesource.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_fetch.h"
#include "engine/imageroot.h"
#include "engine/layer_make.h"
#include "engine/session.h"
#include "fmt/cleanpath.h"
#include "fmt/dockerfile.h"
#include "fmt/tarread.h"
#include "fmt/utf8.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIT_LOG_MAX (64 << 10)
#define GIT_TIME_MS 10000

void treesource_close(struct treesource_tree *t)
{
	if (t->root.fd >= 0)
		close(t->root.fd);
	stage_free(t->stage);
	*t = TREESOURCE_TREE_INIT;
}

/* ---- what a word is ---- */

static bool ends_git(const char *word)
{
	size_t n = strcspn(word, "#?");

	return n > 4 && strncmp(word + n - 4, ".git", 4) == 0;
}

enum treesource_kind treesource_kind(const char *word)
{
	if (str_after(word, "git@") || str_after(word, "git://") || str_after(word, "ssh://") ||
	    str_after(word, "github.com/"))
		return TREESOURCE_GIT;
	if (str_after(word, "http://") || str_after(word, "https://"))
		return ends_git(word) ? TREESOURCE_GIT : TREESOURCE_WEB;
	return TREESOURCE_PATH;
}

bool treesource_is_archive(const unsigned char *p, size_t n)
{
	static const unsigned char xz[] = {0xfd, '7', 'z', 'X', 'Z', 0},
				   zstd[] = {0x28, 0xb5, 0x2f, 0xfd};

	return (n >= TREESOURCE_MAGIC && !memcmp(p + 257, "ustar", 5)) ||
	       (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) || (n >= 3 && !memcmp(p, "BZh", 3)) ||
	       (n >= 6 && !memcmp(p, xz, 6)) || (n >= 4 && !memcmp(p, zstd, 4));
}

/* ---- archives ---- */

int treesource_unpack(const struct treesource *ts, int fd, const char *what, struct arena *a,
		      struct treesource_tree *out, bool *none, struct err *e)
{
	struct treesource_tree t = TREESOURCE_TREE_INIT;
	struct layer_made made = {0};
	struct err why = ERR_INIT;
	const char *layer;
	int r = layer_make_unpack(ts->store, ts->lease, fd, what, a, &made, &why);

	*none = r < 0 && why.kind == ERR_CORRUPT && strstr(why.msg, TARREAD_NO_ARCHIVE);
	if (*none)
		return 0;
	if (r < 0) {
		if (e)
			*e = why;
		return err_wrap(e, r, "%s", what);
	}
	layer = made.layer.diff_id;
	t.root.fd = imageroot_open(ts->store, &(struct strs){.v = &layer, .n = 1}, a, e);
	if (t.root.fd < 0)
		return t.root.fd;
	t.root.name = arena_dup(a, what);
	t.root.owners = true;
	*out = t;
	return 0;
}

/* ---- addresses ---- */

static int new_tree(const struct treesource *ts, const char *what, struct arena *a,
		    struct treesource_tree *out, struct err *e)
{
	struct treesource_tree t = TREESOURCE_TREE_INIT;
	int r = stage_new(ts->store, &t.stage, e);

	if (r < 0)
		return r;
	if (mkdirat(stage_fd(t.stage), "tree", 0755) < 0 ||
	    fchmodat(stage_fd(t.stage), "tree", 0755, 0) < 0)
		r = err_sys(e, "a directory for what is fetched");
	t.root.fd =
	    r < 0 ? -1 : openat(stage_fd(t.stage), "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r >= 0 && t.root.fd < 0)
		r = err_sys(e, "a directory for what is fetched");
	if (r < 0) {
		treesource_close(&t);
		return r;
	}
	t.root.name = arena_dup(a, what);
	*out = t;
	return 0;
}

/* To an open file; what comes has this digest, or it is an error. */
static int get(const struct treesource *ts, const char *url, const char *digest, int file,
	       struct arena *a, struct err *e)
{
	struct image_fetch_source src = {.transport = "web"};
	struct image_fetch_got got;
	struct image_fetch *f;
	struct timespec t[2] = {0};
	int r = image_fetch_start(ts->store, &src, &f, e);

	if (r < 0)
		return r;
	r = image_fetch_get(f, url, file, a, &got, e);
	image_fetch_stop(f);
	if (r >= 0 && digest && !streq(digest, got.digest))
		r = err_set(e, ERR_CORRUPT, "'%.200s' has the digest %s, and not %s", url,
			    got.digest, digest);
	if (r < 0)
		return r;
	t[0].tv_sec = t[1].tv_sec = got.modified;
	return futimens(file, t) < 0 ? err_sys(e, "'%.200s'", url) : 0;
}

int treesource_fetch(const struct treesource *ts, const char *url, const char *name,
		     const char *digest, struct arena *a, struct treesource_tree *out,
		     struct err *e)
{
	struct treesource_tree t = TREESOURCE_TREE_INIT;
	auto_fd int file = -1;
	int r = new_tree(ts, url, a, &t, e);

	if (r < 0)
		return r;
	file = openat(t.root.fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	r = file < 0 ? err_sys(e, "'%.200s'", name) : get(ts, url, digest, file, a, e);
	if (r < 0) {
		treesource_close(&t);
		return r;
	}
	*out = t;
	return 0;
}

/* ---- git ---- */

struct git {
	const char *program, *dir; /* dir: of the work tree, absolute */
	const char *url, *ref, *sub;
	struct strs env;
	int log; /* where its stderr goes */
	struct arena *a;
};

/* Ours, without what would change what git does behind our back, and with what keeps a repository
 * from asking questions or running commands (CVE-2015-7545: "ext::"). */
static struct strs git_env(char *const *ours, struct arena *a)
{
	struct strs env = {0};
	bool ssh = false;

	for (; *ours; ours++) {
		ssh |= str_after(*ours, "GIT_SSH_COMMAND=") || str_after(*ours, "GIT_SSH=");
		if (!str_after(*ours, "GIT_") || str_after(*ours, "GIT_SSH") ||
		    str_after(*ours, "GIT_CONFIG_GLOBAL="))
			arena_strs_add(a, &env, *ours);
	}
	arena_strs_add(a, &env, "GIT_TERMINAL_PROMPT=0");
	arena_strs_add(a, &env, "GIT_ALLOW_PROTOCOL=git:http:https:ssh");
	arena_strs_add(a, &env, "LC_ALL=C");
	if (!ssh)
		arena_strs_add(a, &env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes");
	return env;
}

/* The last line that git wrote. */
static const char *last_words(const struct git *g)
{
	char text[GIT_LOG_MAX + 1], *line;
	auto_buf struct buf out = BUF_INIT(4096);
	ssize_t n = pread(g->log, text, GIT_LOG_MAX, 0);

	text[n < 0 ? 0 : n] = 0;
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = 0;
	line = strrchr(text, '\n');
	utf8_visible(&out, line ? line + 1 : text);
	return arena_dup(g->a, out.p);
}

/* Run it in the work tree; words end with NULL.  The umask is the same everywhere, and so are
 * modes. */
static int git_run(const struct git *g, const char *const *words, struct err *e)
{
	struct strs argv = {0};
	struct child_fd fds[] = {{g->log, 2}};
	struct child_opts o = {.path = "/bin/sh", .env = g->env.v, .fds = fds, .nfds = 1};
	int status = 0;
	pid_t pid;

	arena_strs_add(g->a, &argv, "sh");
	arena_strs_add(g->a, &argv, "-c");
	arena_strs_add(g->a, &argv, "umask 022; exec \"$0\" \"$@\"");
	arena_strs_add(g->a, &argv, g->program);
	arena_strs_add(g->a, &argv, "-C");
	arena_strs_add(g->a, &argv, g->dir);
	arena_strs_add(g->a, &argv, "-c");
	arena_strs_add(g->a, &argv, "core.hooksPath=/dev/null");
	arena_strs_add(g->a, &argv, "-c");
	arena_strs_add(g->a, &argv, "core.autocrlf=false");
	for (; *words; words++)
		arena_strs_add(g->a, &argv, *words);
	o.argv = argv.v;
	pid = child_start(&o);
	if (pid < 0) {
		errno = -pid;
		return err_sys(e, "cannot start git");
	}
	child_wait(pid, &status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, ERR_SYSTEM, "git: %.300s", last_words(g));
}

static bool is_commit(const char *ref)
{
	size_t n = strspn(ref, "0123456789abcdef");

	return !ref[n] && (n == 40 || n == 64);
}

/* One commit if the server gives single ones; by its id, it may only give whole branches. */
static int git_fetch(const struct git *g, struct err *e)
{
	struct err why = ERR_INIT;
	const char *shallow[] = {"fetch", "-q",	  "--depth=1", "--no-tags",
				 "--",	  g->url, g->ref,      NULL};
	const char *all[] = {"fetch", "-q", "--no-tags", "--", g->url, "+refs/*:refs/remotes/all/*",
			     NULL};
	int r = git_run(g, shallow, &why);

	if (r < 0 && is_commit(g->ref) && git_run(g, all, NULL) >= 0)
		return 0;
	if (r < 0 && e)
		*e = why;
	return r;
}

static int git_checkout(const struct git *g, struct err *e)
{
	const char *init[] = {"-c", "init.defaultBranch=main", "init", "-q", "--template=", NULL};
	const char *checkout[] = {
	    "checkout", "-q", "--detach", is_commit(g->ref) ? g->ref : "FETCH_HEAD", "--", NULL};
	const char *modules[] = {"submodule",	"-q",	     "update", "--init",
				 "--recursive", "--depth=1", NULL};
	int r = git_run(g, init, e);

	if (r >= 0)
		r = git_fetch(g, e);
	if (r >= 0)
		r = git_run(g, checkout, e);
	return r < 0 ? r : git_run(g, modules, e);
}

static int git_commit(const struct git *g, int64_t *time, const char **commit, struct err *e)
{
	const char *argv[] = {"git", "-C", g->dir, "log", "-1", "--format=%ct %H", NULL};
	struct child_opts o = {.path = g->program, .argv = argv, .env = g->env.v};
	struct child_talk talk = {.max = 128, .ms = GIT_TIME_MS};
	auto_free char *text = NULL;
	int status = 0;

	if (child_talk(&o, &talk, &text, &status) < 0 || status)
		return err_set(e, ERR_SYSTEM, "git does not say when the commit was made");
	*time = strtoll(text, NULL, 10);
	*commit = strchr(text, ' ');
	*commit = *commit ? arena_dupn(g->a, *commit + 1, strcspn(*commit + 1, "\n")) : "";
	return 0;
}

/* "URL#REF:DIRECTORY" */
static int git_address(struct git *g, const char *word, struct err *e)
{
	const char *hash = strchr(word, '#'), *colon = hash ? strchr(hash, ':') : NULL;
	size_t n = hash ? (size_t)(hash - word) : strlen(word);

	g->url = arena_dupn(g->a, word, n);
	g->ref = "HEAD";
	if (str_after(g->url, "github.com/"))
		g->url = arena_printf(g->a, "https://%s", g->url);
	if (hash && hash[1] && hash[1] != ':')
		g->ref = arena_dupn(g->a, hash + 1,
				    colon ? (size_t)(colon - hash - 1) : strlen(hash + 1));
	if (colon && colon[1]) {
		char *clean = arena_alloc(g->a, strlen(colon));

		if (!cleanpath(colon + 1, clean))
			return err_set(e, ERR_USAGE, "'%.200s' leads out of the repository", word);
		g->sub = clean;
	}
	/* "+a:b" and "^x" are more than a name to git-fetch. */
	if (*g->ref == '-' || strpbrk(g->ref, " ~^:?*[\\+"))
		return err_set(e, ERR_USAGE, "'%.100s' is no branch, tag or commit", g->ref);
	return 0;
}

static int git_program(struct git *g, char *const *environment, struct err *e)
{
	char program[PATH_MAX];
	const char *path = NULL;

	for (char *const *v = environment; *v && !path; v++)
		path = str_after(*v, "PATH=");
	if (!path || child_find("git", path, program, sizeof(program)) < 0)
		return err_set(e, ERR_NOT_FOUND, "the program git is needed, and is not installed");
	g->program = arena_dup(g->a, program);
	g->env = git_env(environment, g->a);
	return 0;
}

static int git_tree(struct git *g, struct treesource_tree *t, bool keep_git, struct err *e)
{
	int r = git_checkout(g, e), fd;

	if (r >= 0)
		r = git_commit(g, &t->root.time, &t->commit, e);
	if (r < 0)
		return r;
	if (!keep_git && path_remove(t->root.fd, ".git") < 0)
		return err_sys(e, "'.git'");
	if (!g->sub)
		return 0;
	fd = path_open(t->root.fd, g->sub, O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
	if (fd < 0)
		return err_set(e, ERR_NOT_FOUND, "it has no directory '%.200s'", g->sub);
	close(t->root.fd);
	t->root.fd = fd;
	return 0;
}

int treesource_git(const struct treesource *ts, const char *url, bool keep_git, struct arena *a,
		   struct treesource_tree *out, struct err *e)
{
	struct treesource_tree t = TREESOURCE_TREE_INIT;
	struct git g = {.a = a, .log = -1};
	auto_fd int log = -1;
	int r = git_address(&g, url, e);

	if (r >= 0)
		r = git_program(&g, ts->s->environment, e);
	if (r >= 0)
		r = new_tree(ts, url, a, &t, e);
	if (r < 0)
		return r;
	g.dir = arena_printf(a, "%s/%s/tree", store_root_path(ts->store), stage_path(t.stage));
	log = openat(stage_fd(t.stage), "log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	g.log = log;
	r = log < 0 ? err_sys(e, "git's messages") : git_tree(&g, &t, keep_git, e);
	if (r < 0) {
		treesource_close(&t);
		return err_wrap(e, r, "'%.200s'", url);
	}
	*out = t;
	return 0;
}

/* ---- contexts ---- */

/* What came, and may be an archive or a Dockerfile. */
static int from_file(const struct treesource *ts, int file, const char *what, struct arena *a,
		     struct treesource_context *c, struct err *e)
{
	unsigned char head[TREESOURCE_MAGIC];
	auto_free char *text = NULL;
	bool none = true;
	ssize_t n = pread(file, head, sizeof(head), 0);
	int r = 0;

	if (n < 0 || lseek(file, 0, SEEK_SET) < 0)
		return err_sys(e, "%s", what);
	if (treesource_is_archive(head, (size_t)n))
		r = treesource_unpack(ts, file, what, a, &c->tree, &none, e);
	if (r < 0)
		return r;
	/* In an archive that somebody made for a build the owners are whoever made it. */
	c->tree.root.owners = false;
	if (!none)
		return 0;
	if (treesource_is_archive(head, (size_t)n))
		return err_set(e, ERR_CORRUPT, "%s: compressed, but no archive", what);
	n = fd_slurp(file, DOCKERFILE_MAX, &text);
	if (n < 0)
		return err_set(e, ERR_USAGE, "%s: neither an archive nor a Dockerfile", what);
	r = new_tree(ts, what, a, &c->tree, e);
	c->dockerfile = arena_dupn(a, text, (size_t)n);
	c->dockerfile_len = (size_t)n;
	return r;
}

static int from_stdin(const struct treesource *ts, struct arena *a, struct treesource_context *c,
		      struct err *e)
{
	struct treesource_tree t = TREESOURCE_TREE_INIT;
	auto_fd int file = -1;
	ssize_t n;
	int r = new_tree(ts, "stdin", a, &t, e);

	if (r < 0)
		return r;
	file = openat(t.root.fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	n = file < 0 ? -errno : fd_copy(STDIN_FILENO, file);
	treesource_close(&t);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "the context on stdin");
	}
	return from_file(ts, file, "the context on stdin", a, c, e);
}

static int from_web(const struct treesource *ts, const char *url, struct arena *a,
		    struct treesource_context *c, struct err *e)
{
	struct treesource_tree t = TREESOURCE_TREE_INIT;
	auto_fd int file = -1;
	int r = treesource_fetch(ts, url, "context", NULL, a, &t, e);

	if (r < 0)
		return r;
	file = openat(t.root.fd, "context", O_RDONLY | O_CLOEXEC);
	r = file < 0 ? err_sys(e, "'%.200s'", url) : from_file(ts, file, url, a, c, e);
	treesource_close(&t);
	return r;
}

int treesource_context(const struct treesource *ts, const char *word, struct arena *a,
		       struct treesource_context *out, struct err *e)
{
	struct treesource_context c = {.tree = TREESOURCE_TREE_INIT};
	int r = 0;

	if (streq(word, "-")) {
		r = from_stdin(ts, a, &c, e);
	} else if (treesource_kind(word) == TREESOURCE_GIT) {
		r = treesource_git(ts, word, false, a, &c.tree, e);
	} else if (treesource_kind(word) == TREESOURCE_WEB) {
		r = from_web(ts, word, a, &c, e);
	} else {
		c.local = true;
		c.tree.root = (struct filefind_root){
		    .fd = open(word, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .name = word};
		if (c.tree.root.fd < 0)
			return err_sys(e, "build context '%s'", word);
	}
	if (r < 0) {
		treesource_close(&c.tree);
		return r;
	}
	*out = c;
	return 0;
}
