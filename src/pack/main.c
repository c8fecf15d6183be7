/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-pack - a directory tree into the tar of a layer, compressed, on stdout.  Lives for one
 * tree; sees nothing but that tree, and can only read it: no network, no other names, no
 * credentials (unpack/jail.h).  Reads what a workload left behind.
 *
 *   caisson-pack --from FD [--codec C]	an archive that is there, only compressed
 *   caisson-pack --dir FD [--overlay trusted|user|fuse] [--codec C] [--epoch SECONDS]
 * [--owner-root]
 *
 * --err-fd: on failure one struct err (base/err.h), else its text on stderr.  Exit codes: 0, 1
 * failure, 2 usage.
 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "files/packtree.h"
#include "pack/packout.h"
#include "sys/fd.h"
#include "unpack/jail.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum overlay { OVERLAY_NO, OVERLAY_TRUSTED, OVERLAY_USER, OVERLAY_FUSE };
static const char *const overlay_names[] = {"no", "trusted", "user", "fuse", NULL};

struct args {
	int64_t dir, from, err_fd, epoch;
	int codec, overlay;
	bool owner_root;
	struct opt_list skip;
};

#define FD_OPT(field, name_, preset_, help_)                                                       \
	OPT(struct args, field, .name = name_, .type = OPT_INT, .arg = "FD", .min = -1,            \
	    .max = 1 << 20, .preset = preset_, .help = help_)

static const struct opt opts[] = {
    OPT(struct args, codec, .name = "codec", .type = OPT_ENUM, .values = packout_names,
	.arg = "none|gzip|zstd", .preset = "gzip", .help = "how the archive is compressed"),
    FD_OPT(dir, "dir", "-1", "the directory"),
    OPT(struct args, epoch, .name = "epoch", .type = OPT_INT, .arg = "SECONDS", .min = 0,
	.max = INT64_MAX, .preset = "9223372036854775807",
	.help = "no time in the archive is later than this"),
    FD_OPT(err_fd, "err-fd", "-1", "write a failure there, as a struct err"),
    FD_OPT(from, "from", "-1", "an archive that is only to be compressed"),
    OPT(struct args, overlay, .name = "overlay", .type = OPT_ENUM, .values = overlay_names,
	.arg = "no|trusted|user|fuse", .preset = "no",
	.help = "the directory is an overlay's upper one, with marks of this kind"),
    OPT(struct args, owner_root, .name = "owner-root", .type = OPT_BOOL,
	.help = "every file is 0:0's"),
    OPT(struct args, skip, .name = "skip", .type = OPT_LIST, .arg = "PATH",
	.help = "left out while it is an empty file or directory"),
    OPT_END,
};

static int write_out(void *arg, const void *data, size_t len, struct err *e)
{
	return packout_write(arg, data, len, e);
}

static int pack(const struct args *a, struct err *e)
{
	int keep[] = {(int)a->dir, (int)a->err_fd};
	struct jail_opts jo = {.keep_fds = keep,
			       .n_keep = 2,
			       .dir_fd = (int)a->dir,
			       .read_dir = true,
			       .trusted_xattrs = a->overlay == OVERLAY_TRUSTED};
	struct strs skip = {a->skip.v, a->skip.n};
	struct packtree_opts po = {.skip = &skip,
				   .overlay = a->overlay != OVERLAY_NO,
				   .user_marks = a->overlay == OVERLAY_USER,
				   .fuse_marks = a->overlay == OVERLAY_FUSE,
				   .owner_root = a->owner_root,
				   .epoch = a->epoch};
	struct packtree_stats stats;
	struct packout *out;
	int r = packout_open(STDOUT_FILENO, (enum packout_codec)a->codec, &out, e);

	if (r < 0)
		return r;
	r = jail_enter(&jo, e);
	if (r >= 0)
		r = packtree_write((int)a->dir, &po, &(struct packtree_sink){write_out, out},
				   &stats, e);
	if (r >= 0)
		r = packout_finish(out, e);
	packout_free(out);
	return r;
}

static int copy(const struct args *a, struct err *e)
{
	int keep[] = {(int)a->from, (int)a->err_fd};
	struct jail_opts jo = {.keep_fds = keep, .n_keep = 2, .dir_fd = -1};
	char chunk[64 << 10];
	struct packout *out;
	ssize_t n;
	int r = packout_open(STDOUT_FILENO, (enum packout_codec)a->codec, &out, e);

	if (r < 0)
		return r;
	r = jail_enter(&jo, e);
	while (r >= 0 && (n = fd_read_full((int)a->from, chunk, sizeof(chunk))) != 0) {
		errno = n < 0 ? (int)-n : 0;
		r = n < 0 ? err_sys(e, "read the archive")
			  : packout_write(out, chunk, (size_t)n, e);
	}
	if (r >= 0)
		r = packout_finish(out, e);
	packout_free(out);
	return r;
}

static int run(struct args *a, int argc, char **argv, struct err *e)
{
	int first = opt_parse(opts, argc, argv, OPT_MIXED, a, e);

	if (first < 0)
		return first;
	if (first < argc || (a->dir < 0) == (a->from < 0))
		return err_set(e, ERR_USAGE, "--dir FD or --from FD is needed, and no operands");
	return a->dir < 0 ? copy(a, e) : pack(a, e);
}

static int help(void)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	buf_puts(&b, "caisson-pack --dir FD [options]\n\n");
	opt_help(opts, &b);
	return fd_write_all(STDOUT_FILENO, b.p, b.len) < 0;
}

int main(int argc, char **argv)
{
	struct args a = {.err_fd = -1};
	struct err e = ERR_INIT;
	int r;

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = run(&a, argc, argv, &e);
	if (r >= 0)
		return 0;
	if (r == -ECANCELED && e.kind == ERR_CANCELED && a.err_fd < 0)
		return help();
	if (a.err_fd > 2)
		(void)!write((int)a.err_fd, &e, sizeof(e));
	else
		fprintf(stderr, "caisson-pack: %s\n", e.msg);
	return e.kind == ERR_USAGE ? 2 : 1;
}
