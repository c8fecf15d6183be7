/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/instance_root.h"
#include "engine/lookup.h"
#include "engine/session.h"
#include "engine/vmfiles.h"
#include "store/helper.h"
#include "store/store.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM	 "caisson-copy"
#define DATA_FD	 7
#define STAT_MAX 16384

/* One of the two processes. */
struct side {
	struct helper helper;
	struct instance_root root;
	struct strs args;
	bool vm; /* its agent does it: no program here */
	struct instance instance;
	int data; /* of a VM: the archive */
};
#define SIDE_INIT ((struct side){.helper = HELPER_INIT, .root = INSTANCE_ROOT_INIT, .data = -1})

static int open_tree(struct session *s, const struct copy_end *x, struct arena *a, struct side *d,
		     const char **path, struct err *e)
{
	auto_free char *cwd = NULL;
	struct lookup l;
	int r;

	if (x->instance) {
		/* A path of an instance is always one from its root. */
		*path = *x->path == '/' ? x->path : arena_printf(a, "/%s", x->path);
		r = lookup_find(s, x->instance, a, &l, e);
		if (r >= 0)
			r = instance_root_vm(&l, e);
		d->vm = r > 0;
		d->instance = l.i;
		if (r == 0)
			r = instance_root_open(s, &l, false, a, &d->root, e);
		for (size_t i = 0; r >= 0 && i < d->root.args.n; i++)
			arena_strs_add(a, &d->args, d->root.args.v[i]);
		return r;
	}
	*path = x->path;
	if (*x->path != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return err_sys(e, "current directory");
		*path = arena_printf(a, "%s/%s", cwd, x->path);
	}
	d->root.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root.fd < 0)
		return err_sys(e, "'/'");
	arena_strs_add(a, &d->args, "--root=6");
	return 0;
}

static int start(struct session *s, struct side *d, int data, struct arena *a, struct err *e)
{
	struct child_fd fds[2] = {{data, DATA_FD}, {d->root.fd, INSTANCE_ROOT_FD}};
	struct store *store;
	int r = session_store(s, &store, e);

	if (d->vm) {
		d->data = fcntl(data, F_DUPFD_CLOEXEC, 3);
		return d->data < 0 ? err_sys(e, "archive") : 0;
	}
	arena_strs_add(a, &d->args, "--data=7");
	return r < 0 ? r
		     : helper_start(store, PROGRAM, &d->args, fds, d->root.fd >= 0 ? 2 : 1,
				    &d->helper, e);
}

/* The last component, which the archive's first entry is called by. */
static const char *base_name(const char *path, struct arena *a)
{
	char *copy = arena_dup(a, path), *slash;
	size_t n = strlen(copy);

	while (n && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	slash = slash ? slash + 1 : copy;
	return *slash && !streq(slash, "..") ? slash : ".";
}

/* "x/." means what is in x, as does a path without a name of its own. */
static bool contents(const char *path, struct arena *a)
{
	return streq(base_name(path, a), ".");
}

static int start_get(struct session *s, const struct copy_end *x, const struct copy_end *to,
		     unsigned int flags, int data, struct arena *a, struct side *d, struct err *e)
{
	/* What only holds contents needs some name for the other side to take off. */
	const char *path,
	    *as = contents(x->path, a) ? (to->path ? "contents" : ".") : base_name(x->path, a);
	int r = open_tree(s, x, a, d, &path, e);

	if (r < 0)
		return r;
	arena_strs_add(a, &d->args, arena_printf(a, "--get=%s", path));
	arena_strs_add(a, &d->args, arena_printf(a, "--as=%s", as));
	if (flags & COPY_FOLLOW)
		arena_strs_add(a, &d->args, "--follow");
	return start(s, d, data, a, e);
}

static int start_put(struct session *s, const struct copy_end *from, const struct copy_end *x,
		     unsigned int flags, int data, struct arena *a, struct side *d, struct err *e)
{
	const char *path, *kind = "item";
	int r = open_tree(s, x, a, d, &path, e);

	if (r < 0)
		return r;
	if (!from->path)
		kind = "raw";
	else if (contents(from->path, a))
		kind = "contents";
	arena_strs_add(a, &d->args, arena_printf(a, "--put=%s", path));
	arena_strs_add(a, &d->args, arena_printf(a, "--kind=%s", kind));
	/* On the user's side links of an archive must not lead anywhere; in an instance its own
	 * stay inside of it anyway. */
	if (x->instance)
		arena_strs_add(a, &d->args, "--links");
	if (flags & COPY_ARCHIVE)
		arena_strs_add(a, &d->args, "--archive");
	else if (x->instance)
		arena_strs_add(a, &d->args, "--owner-root");
	return start(s, d, data, a, e);
}

/* A VM's end of the copy, done while the other program runs.  Closed behind: the other one waits
 * for the end. */
static int talk(struct session *s, struct side *d, bool in, struct buf *answer, struct err *e)
{
	struct vmfiles v = {
	    .words = &d->args, .in = in ? d->data : -1, .out = in ? -1 : d->data, .answer = answer};
	int r = vmfiles_run(s, &d->instance, &v, e);

	fd_close(d->data);
	d->data = -1;
	return r;
}

static ssize_t finish_put(struct session *s, struct side *put, struct buf *answer, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n;

	if (put->vm)
		return talk(s, put, true, answer, e);
	if (!put->helper.program)
		return 0;
	n = helper_finish(&put->helper, 64, &text, e);
	if (n > 0)
		buf_puts(answer, text);
	return n;
}

/* When both failed: a writer that got half an archive does not know why, any other reason of its
 * own made the reader meet a closed pipe. */
static int finish(struct session *s, struct side *get, struct side *put, uint64_t *bytes,
		  struct err *e)
{
	auto_buf struct buf answer = BUF_INIT(64);
	struct err why_get = ERR_INIT, why_put = ERR_INIT;
	ssize_t p, g = 0;

	*bytes = 0;
	if (get->vm && put->vm)
		return err_set(e, ERR_UNSUPPORTED,
			       "between two VMs an archive goes: cp A:PATH - | cp - B:PATH");
	if (get->vm)
		g = talk(s, get, false, NULL, &why_get);
	p = finish_put(s, put, &answer, &why_put);
	if (get->helper.program)
		g = helper_finish(&get->helper, 0, NULL, &why_get);
	if (g < 0 && (p >= 0 || why_put.kind == ERR_CORRUPT)) {
		if (e)
			*e = why_get;
		return (int)g;
	}
	if (p < 0) {
		if (e)
			*e = why_put;
		return (int)p;
	}
	*bytes = strtoull(answer.p, NULL, 10);
	return 0;
}

static int run(struct session *s, const struct copy_end *from, const struct copy_end *to,
	       unsigned int flags, struct arena *a, struct side *get, struct side *put,
	       struct err *e)
{
	auto_fd int rd = -1;
	auto_fd int wr = -1;
	int p[2], r = 0;

	if (!from->path)
		return start_put(s, from, to, flags, from->fd, a, put, e);
	if (!to->path)
		return start_get(s, from, to, flags, to->fd, a, get, e);
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	rd = p[0];
	wr = p[1];
	fcntl(wr, F_SETPIPE_SZ, 1 << 20); /* the default does, too */
	r = start_get(s, from, to, flags, wr, a, get, e);
	return r < 0 ? r : start_put(s, from, to, flags, rd, a, put, e);
}

int copy_run(struct session *s, const struct copy_end *from, const struct copy_end *to,
	     unsigned int flags, uint64_t *bytes, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct side get = SIDE_INIT, put = SIDE_INIT;
	int r;

	if (!from->path && !to->path)
		return err_set(e, ERR_USAGE, "one end must be a path");
	if (!from->instance && !to->instance)
		return err_set(e, ERR_USAGE, "one end must be of an instance: NAME:PATH");
	r = run(s, from, to, flags, &a, &get, &put, e);
	if (r >= 0)
		r = finish(s, &get, &put, bytes, e);
	helper_stop(&get.helper);
	helper_stop(&put.helper);
	fd_close(get.data);
	fd_close(put.data);
	instance_root_close(&get.root);
	instance_root_close(&put.root);
	return r;
}

int copy_export(struct session *s, const char *instance, int fd, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct side d = SIDE_INIT;
	struct lookup l;
	ssize_t n;
	int r = lookup_find(s, instance, &a, &l, e);

	if (r >= 0)
		r = instance_root_vm(&l, e);
	d.vm = r > 0;
	d.instance = l.i;
	if (r == 0)
		r = instance_root_open(s, &l, true, &a, &d.root, e);
	if (r >= 0) {
		d.args = d.root.args;
		arena_strs_add(&a, &d.args, "--export");
		r = start(s, &d, fd, &a, e);
	}
	if (r >= 0) {
		n = d.vm ? talk(s, &d, false, NULL, e) : helper_finish(&d.helper, 0, NULL, e);
		r = n < 0 ? (int)n : 0;
	}
	instance_root_close(&d.root);
	fd_close(d.data);
	return r;
}

/* Four strings, each with its NUL; a guest may say anything. */
static int read_stat(const struct buf *b, struct arena *a, struct copy_stat *out, struct err *e)
{
	const char *v[4], *p = b->p, *end = b->p + b->len;

	for (int i = 0; i < 4; i++) {
		v[i] = p;
		p = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
		if (!p++)
			return err_set(e, ERR_CORRUPT, "what is said of a file is no description");
	}
	out->mode = (unsigned int)strtoul(v[0], NULL, 10);
	out->size = strtoull(v[1], NULL, 10);
	out->changed_ns = strtoll(v[2], NULL, 10);
	out->target = arena_dup(a, v[3]);
	return 0;
}

int copy_stat(struct session *s, const char *instance, const char *path, struct arena *a,
	      struct copy_stat *out, struct err *e)
{
	const struct copy_end x = {.instance = instance, .path = path};
	auto_buf struct buf answer = BUF_INIT(STAT_MAX);
	auto_free char *text = NULL;
	struct side d = SIDE_INIT;
	struct store *store;
	const char *full;
	ssize_t n = open_tree(s, &x, a, &d, &full, e);

	if (n >= 0)
		n = session_store(s, &store, e);
	if (n >= 0) {
		struct child_fd root = {d.root.fd, INSTANCE_ROOT_FD};

		arena_strs_add(a, &d.args, arena_printf(a, "--stat=%s", full));
		n = d.vm ? talk(s, &d, false, &answer, e)
			 : helper_start(store, PROGRAM, &d.args, &root, d.root.fd >= 0, &d.helper,
					e);
	}
	if (n >= 0 && !d.vm) {
		n = helper_finish(&d.helper, STAT_MAX, &text, e);
		if (n > 0)
			buf_add(&answer, text, (size_t)n);
	}
	helper_stop(&d.helper);
	instance_root_close(&d.root);
	return n < 0 ? (int)n : read_stat(&answer, a, out, e);
}
