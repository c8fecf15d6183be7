/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/overlay.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "sys/fd.h"
#include "sys/mountfd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static void words(struct arena *a, struct strs *out, const char *list)
{
	char *copy = list ? arena_dup(a, list) : NULL, *save = NULL;

	for (char *w = copy ? strtok_r(copy, ",", &save) : NULL; w; w = strtok_r(NULL, ",", &save))
		arena_strs_add(a, out, w);
}

/* The directories of an overlay, open: the layers, then upper and work. */
struct stack {
	struct arena a;
	int *fd;
	size_t n;
	const char **name;
};

static void stack_done(struct stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		close(s->fd[i]);
	arena_free(&s->a);
}
#define auto_stack __attribute__((cleanup(stack_done)))

static int stack_add(struct stack *s, const char *path, const char *what, struct err *e)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "%s '%s'", what, path);
	s->name[s->n] = arena_printf(&s->a, "/proc/self/fd/%d", fd);
	s->fd[s->n++] = fd;
	return 0;
}

static int stack_open(struct stack *s, const struct overlay_spec *o, struct err *e)
{
	int ret = 0;

	s->fd = arena_array(&s->a, o->lower->n + 2, sizeof(*s->fd));
	s->name = arena_array(&s->a, o->lower->n + 2, sizeof(*s->name));
	for (size_t i = 0; ret == 0 && i < o->lower->n; i++)
		ret = stack_add(s, o->lower->v[i], "layer", e);
	if (ret == 0 && o->upper)
		ret = stack_add(s, o->upper, "writable layer", e);
	return ret < 0 || !o->upper ? ret : stack_add(s, o->work, "work directory", e);
}

/* Where EINVAL means the file system of the upper directory: another overlay is never taken, one
 * that looks names up again only with whiteouts by rename, xattrs and d_type (since Linux 5.7;
 * before, not at all), which of these few have. */
static const char *never_upper(int fd)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} known[] = {
	    {OVERLAYFS_SUPER_MAGIC, "overlay"}, {NFS_SUPER_MAGIC, "NFS"},
	    {FUSE_SUPER_MAGIC, "FUSE"},		{V9FS_MAGIC, "9p"},
	    {CIFS_SUPER_MAGIC, "SMB"},		{SMB2_SUPER_MAGIC, "SMB"},
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if ((unsigned long)fs.f_type == known[i].magic)
			return known[i].name;
	return NULL;
}

/* The kernel's own reason goes to its log, which an ordinary user may not read. */
static int refused(const struct overlay_spec *o, const struct stack *s, struct err *e)
{
	int saved = errno;
	const char *name = saved == EINVAL && o->upper ? never_upper(s->fd[o->lower->n]) : NULL;

	if (name)
		return err_set(e, ERR_UNSUPPORTED,
			       "'%s': the kernel's overlay takes no writable layer on this file "
			       "system (%s); fuse-overlayfs would (Debian package fuse-overlayfs)",
			       o->upper, name);
	errno = saved;
	return err_sys(e, "overlay of %zu layers", o->lower->n);
}

/* One value per layer: "lowerdir+". */
int overlay_new(const struct overlay_spec *o, struct err *e)
{
	auto_stack struct stack s = {0};
	struct strs opts = {0};
	size_t n = o->lower->n;
	char why[200];
	int fd = stack_open(&s, o, e);

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < n; i++)
		arena_strs_add(&s.a, &opts, arena_printf(&s.a, "lowerdir+=%s", s.name[i]));
	if (o->upper) {
		arena_strs_add(&s.a, &opts, arena_printf(&s.a, "upperdir=%s", s.name[n]));
		arena_strs_add(&s.a, &opts, arena_printf(&s.a, "workdir=%s", s.name[n + 1]));
	}
	words(&s.a, &opts, o->options);
	fd = mountfd_new("overlay", opts.v, opts.n, 0, why, sizeof(why));
	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "overlay of %zu layers%s%s", n, *why ? ": " : "", why);
	}
	return fd;
}

/* By mount(2), in a directory of a tmpfs on "/"; a copy of that mount is kept. */
int overlay_one_string(const struct overlay_spec *o, struct err *e)
{
	auto_buf struct buf opts = BUF_INIT(4095);
	auto_fd int place = mountfd_new("tmpfs", NULL, 0, 0, NULL, 0), root = -1, at = -1;
	auto_stack struct stack s = {0};
	size_t n = o->lower->n;
	int ret = stack_open(&s, o, e);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < n; i++)
		buf_printf(&opts, "%s%s", i ? ":" : "lowerdir=", s.name[i]);
	if (o->upper)
		buf_printf(&opts, ",upperdir=%s,workdir=%s", s.name[n], s.name[n + 1]);
	if (o->options)
		buf_printf(&opts, ",%s", o->options);
	if (buf_fail(&opts, "overlay options", e) < 0)
		return -EOVERFLOW;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place < 0 || root < 0 || mountfd_attach(place, root) < 0)
		return err_sys(e, "place for the overlay");
	if (mkdirat(place, "m", 0700) < 0 || fchdir(place) < 0 ||
	    mount("overlay", "m", "overlay", 0, opts.p) < 0)
		return refused(o, &s, e);
	at = mountfd_clone(AT_FDCWD, "m", false);
	if (at < 0) {
		errno = -at;
		return err_sys(e, "overlay");
	}
	return take_fd(&at);
}

int overlay_private(const struct overlay_spec *o, struct err *e)
{
	struct err first = ERR_INIT;
	int fd = overlay_new(o, &first);

	if (fd >= 0)
		return fd;
	/* Before 6.7 "lowerdir+" is an unknown option.  Anything else will not get better. */
	if (fd != -EINVAL && first.sys != EINVAL) {
		if (e)
			*e = first;
		return fd;
	}
	return overlay_one_string(o, e);
}
