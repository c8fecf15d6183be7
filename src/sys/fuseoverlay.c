/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/fuseoverlay.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/mountfd.h"
#include "sys/overlay.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEVICE	    "/dev/fuse"
#define DEVICE_FD   3		/* of the program */
#define OPTIONS_MAX (96u << 10) /* one argument may have 128 KiB */
#define WORDS_MAX   256

static int device(struct err *e)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, ERR_UNSUPPORTED, FUSEOVERLAY_NAME " needs '" DEVICE "': %s",
			       strerror(errno));
	return fd;
}

/* The kernel wants who opened the device and who mounts in the same user namespace. */
static int make_mount(int device_fd, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *opts[] = {"source=" FUSEOVERLAY_NAME,
			      arena_printf(&a, "fd=%d", device_fd),
			      "rootmode=40000",
			      "user_id=0",
			      "group_id=0",
			      "default_permissions",
			      "allow_other"};
	char why[200];
	int fd = mountfd_new("fuse", opts, sizeof(opts) / sizeof(*opts), 0, why, sizeof(why));

	if (fd >= 0)
		return fd;
	errno = -fd;
	return err_sys(e, "mount of " FUSEOVERLAY_NAME "%s%s", *why ? ": " : "", why);
}

/* Its own separators cannot be told from a path's. */
static int add_path(struct buf *b, const char *before, const char *path, struct err *e)
{
	if (strpbrk(path, ":,\\"))
		return err_set(e, ERR_UNSUPPORTED,
			       "'%s': " FUSEOVERLAY_NAME " takes no path with ':', ',' or '\\'",
			       path);
	buf_printf(b, "%s%s", before, path);
	return 0;
}

static int options(const struct fuseoverlay_opts *o, struct buf *b, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->dirs->lower->n; i++)
		r = add_path(b, i ? ":" : "lowerdir=", o->dirs->lower->v[i], e);
	if (r == 0 && o->dirs->upper)
		r = add_path(b, ",upperdir=", o->dirs->upper, e);
	if (r == 0 && o->dirs->upper)
		r = add_path(b, ",workdir=", o->dirs->work, e);
	if (o->uids)
		buf_printf(b, ",uidmapping=%s", o->uids);
	if (o->gids)
		buf_printf(b, ",gidmapping=%s", o->gids);
	buf_puts(b, ",writeback=0");
	return r < 0 ? r : buf_fail(b, "options of " FUSEOVERLAY_NAME, e);
}

static int serve(const struct fuseoverlay_opts *o, int device_fd, int words, struct err *e)
{
	auto_buf struct buf opts = BUF_INIT(OPTIONS_MAX);
	auto_arena struct arena a = ARENA_INIT;
	struct child_fd fds[] = {{device_fd, DEVICE_FD}, {words, 2}};
	const char *argv[] = {FUSEOVERLAY_NAME, "-f", "-o", NULL, NULL, NULL};
	struct child_opts co = {
	    .path = o->program, .argv = argv, .fds = fds, .nfds = 2, .mount_ns = o->mount_ns};
	int r = options(o, &opts, e);

	if (r < 0)
		return r;
	argv[3] = opts.p;
	argv[4] = arena_printf(&a, "/dev/fd/%d", DEVICE_FD);
	r = child_start(&co);
	errno = r < 0 ? -r : 0;
	return r < 0 ? err_sys(e, "'%s'", o->program) : r;
}

int fuseoverlay_gone(struct fuseoverlay *f, struct err *e)
{
	static const char noise[] = "unknown argument ignored: lazytime\n";
	char text[WORDS_MAX + 1], *said = text;
	ssize_t n = f->words < 0 ? 0 : read(f->words, text, WORDS_MAX);

	text[n > 0 ? n : 0] = '\0';
	if (strncmp(said, noise, sizeof(noise) - 1) == 0)
		said += sizeof(noise) - 1;
	said[strcspn(said, "\n")] = '\0';
	return err_set(e, ERR_SYSTEM, FUSEOVERLAY_NAME " has ended%s%s", *said ? ": " : "", said);
}

/* A pipe that is not read while the program lives: what does not fit is lost, nobody waits. */
static int start(const struct fuseoverlay_opts *o, int device_fd, struct fuseoverlay *f,
		 struct err *e)
{
	auto_fd int theirs = -1;
	int p[2];

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, "pipe");
	f->words = p[0];
	theirs = p[1];
	f->root = make_mount(device_fd, e);
	if (f->root < 0)
		return f->root;
	f->pid = serve(o, device_fd, theirs, e);
	if (f->pid < 0)
		return f->pid;
	f->pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	return f->pidfd < 0 ? err_sys(e, "open the process of " FUSEOVERLAY_NAME) : 0;
}

int fuseoverlay_start(const struct fuseoverlay_opts *o, struct fuseoverlay *out, struct err *e)
{
	auto_fuseoverlay struct fuseoverlay f = FUSEOVERLAY_INIT;
	auto_fd int dev = device(e);
	struct stat st;
	int r;

	if (dev < 0)
		return dev;
	r = start(o, dev, &f, e);
	if (r < 0)
		return r;
	/* From here on the program's is the only one: when it ends, who waits is told. */
	close(take_fd(&dev));
	if (fstatat(f.root, ".", &st, 0) < 0) {
		child_kill(f.pid);
		f.pid = 0;
		return fuseoverlay_gone(&f, e);
	}
	*out = f;
	f = FUSEOVERLAY_INIT;
	return 0;
}

void fuseoverlay_stop(struct fuseoverlay *f)
{
	fd_close(f->root);
	child_kill(f->pid);
	fd_close(f->pidfd);
	fd_close(f->words);
	*f = FUSEOVERLAY_INIT;
}
