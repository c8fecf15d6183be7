/* SPDX-License-Identifier: Apache-2.0 */
#include "build/buildfile.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "build/treesource.h"
#include "fmt/dockerfile.h"
#include "fmt/utf8.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXCERPT_AROUND 2 /* lines before and after */
#define EXCERPT_WIDTH  200
#define GIT_MS	       5000

static int slurp(int fd, const char *name, size_t max, struct arena *a, const char **text,
		 size_t *len, struct err *e)
{
	auto_free char *data = NULL;
	ssize_t n = fd_slurp(fd, max, &data);

	if (n == -EFBIG || n == -EOVERFLOW)
		return err_set(e, ERR_LIMIT, "'%s' is larger than %zu bytes", name, max);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", name);
	}
	*text = arena_dupn(a, data, (size_t)n);
	*len = (size_t)n;
	return 0;
}

static int read_ignore(struct buildfile *b, int dir, const char *name, struct arena *a,
		       struct err *e)
{
	auto_fd int fd = dir == AT_FDCWD
			     ? open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
			     : path_open(dir, name, O_RDONLY | O_NONBLOCK, 0, PATH_IN_ROOT);
	const char *text = NULL;
	size_t len;
	int r;

	if (fd < 0)
		return -ENOENT;
	r = slurp(fd, name, DOCKERIGNORE_MAX, a, &text, &len, e);
	return r < 0 ? r : dockerignore_parse(text, len, name, a, &b->ignore, e);
}

/* The Dockerfile's own list counts instead of the context's.  dir: where file is looked for. */
static int find_ignore(struct buildfile *b, int dir, const char *file, struct arena *a,
		       struct err *e)
{
	int r = -ENOENT;

	if (file && !streq(file, "-"))
		r = read_ignore(b, dir, arena_printf(a, "%s.dockerignore", file), a, e);
	if (r == -ENOENT && !file)
		r = read_ignore(b, b->context_fd, "Dockerfile.dockerignore", a, e);
	if (r == -ENOENT)
		r = read_ignore(b, b->context_fd, ".dockerignore", a, e);
	return r == -ENOENT ? 0 : r;
}

int buildfile_ignore(int dir, struct arena *a, struct dockerignore *out, struct err *e)
{
	struct buildfile b = {.context_fd = dir};
	int r = find_ignore(&b, dir, NULL, a, e);

	*out = b.ignore;
	return r;
}

static int open_default(struct buildfile *b, struct err *e)
{
	static const char *const names[] = {"Dockerfile", "Containerfile"};

	for (size_t i = 0; i < 2; i++) {
		int fd = path_open(b->context_fd, names[i], O_RDONLY | O_NONBLOCK, 0, PATH_BENEATH);

		b->name = names[i];
		if (fd >= 0)
			return fd;
	}
	return err_set(e, ERR_NOT_FOUND,
		       "there is no Dockerfile and no Containerfile in '%s'; name one with --file",
		       b->context);
}

static int open_file(struct buildfile *b, int dir, const char *file, struct err *e)
{
	int fd;

	if (!file)
		return open_default(b, e);
	if (streq(file, "-")) {
		b->name = "stdin";
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	} else if (dir == AT_FDCWD) {
		fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	} else {
		fd = path_open(dir, file, O_RDONLY | O_NONBLOCK, 0, PATH_IN_ROOT);
		errno = fd < 0 ? -fd : 0;
	}
	return fd < 0 ? err_sys(e, "'%s'", file) : fd;
}

int buildfile_open(struct buildfile *b, const struct treesource_context *c, const char *context,
		   const char *file, struct arena *a, struct err *e)
{
	int dir = c->local ? AT_FDCWD : c->tree.root.fd, r;
	auto_fd int fd = -1;

	*b = (struct buildfile){.context_fd = c->tree.root.fd,
				.context = context,
				.time = c->tree.root.time,
				.name = file};
	if (c->dockerfile && !file) {
		b->name = streq(context, "-") ? "stdin" : context;
		b->text = c->dockerfile;
		b->len = c->dockerfile_len;
		return 0;
	}
	fd = open_file(b, dir, file, e);
	if (fd < 0)
		return fd;
	r = slurp(fd, b->name, DOCKERFILE_MAX, a, &b->text, &b->len, e);
	return r < 0 ? r : find_ignore(b, dir, file, a, e);
}

/* ---- the epoch ---- */

/* The committer's time of HEAD; -ENOENT where there is no git, or nothing of its. */
static int commit_time(const struct buildfile *b, char *const *environment, int64_t *out)
{
	auto_free char *text = NULL;
	char program[PATH_MAX], *end, *whole;
	const char *argv[] = {"git", "-C", b->context, "log", "-1", "--format=%ct", NULL};
	struct child_opts o = {.path = program, .argv = argv, .env = child_environ()};
	struct child_talk talk = {.max = 64, .ms = GIT_MS};
	const char *path = NULL;
	int status;

	for (; *environment && !path; environment++)
		path = str_after(*environment, "PATH=");
	if (faccessat(b->context_fd, ".git", F_OK, 0) < 0 || !path ||
	    child_find("git", path, program, sizeof(program)) < 0 ||
	    child_talk(&o, &talk, &text, &status) < 0 || status)
		return -ENOENT;
	whole = text;
	*out = strtoll(whole, &end, 10);
	return end == whole ? -ENOENT : 0;
}

int buildfile_epoch(const struct buildfile *b, char *const *environment, int64_t *out,
		    struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct filefind_root root = {
	    .fd = b->context_fd, .name = "the build context", .ignore = &b->ignore};
	const char *all[] = {"/"};
	struct strs patterns = {all, 1};
	struct filefind_list files;
	int r;

	*out = b->time;
	if (b->time || commit_time(b, environment, out) >= 0)
		return 0;
	r = filefind_find(&root, &patterns, &(struct filefind_rules){0}, &a, &files, e);
	*out = 0;
	for (size_t i = 0; r >= 0 && i < files.n; i++)
		if (S_ISREG(files.v[i].st.st_mode) && files.v[i].st.st_mtim.tv_sec > *out)
			*out = files.v[i].st.st_mtim.tv_sec;
	return r;
}

/* ---- errors, as compilers show them ---- */

const char *buildfile_excerpt(const struct buildfile *b, int line, struct arena *a)
{
	auto_buf struct buf out = BUF_INIT(64 << 10);
	const char *p = b->text, *end = p ? p + b->len : NULL;

	for (int n = 1; p && p < end && n <= line + EXCERPT_AROUND; n++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
		size_t len = (size_t)(stop - p);

		if (n >= line - EXCERPT_AROUND) {
			buf_printf(&out, "%s %4d | ", n == line ? ">>>" : "   ", n);
			utf8_visible(&out,
				     arena_dupn(a, p, len < EXCERPT_WIDTH ? len : EXCERPT_WIDTH));
			buf_puts(&out, "\n");
		}
		p = nl ? nl + 1 : end;
	}
	return out.len && !out.failed ? arena_dupn(a, out.p, out.len) : NULL;
}
