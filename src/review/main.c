/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-review - what an image brings, found by looking at its files; lives for one review.  Has
 * the layers' EROFS images, mapped, and an output; nothing else: no network, no names in the file
 * system, as root not even root's identity (unpack/jail.h).  It mounts nothing.
 * Parses hostile bytes from: image authors.
 *
 *   caisson-review [--user NAME] [--files] LAYER...	bottom first
 *   caisson-review --compare N [--times] LAYER...	the first N are one image's, the others
 * another's
 *
 * stdout: one JSON object (spec/review.h, docs/protocols/review.md).  --err-fd: on failure one
 * struct err, else its text on stderr.  Exit codes: 0, 1 failure, 2 usage.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "fmt/limits.h"
#include "review/compare_trees.h"
#include "review/scan.h"
#include "spec/review.h"
#include "sys/fd.h"
#include "unpack/jail.h"
#include "unpack/merge.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct args {
	int64_t err_fd, compare;
	const char *user;
	bool files, times;
};

static const struct opt opts[] = {
    OPT(struct args, compare, .name = "compare", .type = OPT_INT, .arg = "N", .min = 0,
	.max = LIMIT_LAYERS, .preset = "0", .help = "the first N layers with the others"),
    OPT(struct args, err_fd, .name = "err-fd", .type = OPT_INT, .arg = "FD", .min = -1,
	.max = 1 << 20, .preset = "-1", .help = "write a failure there, as a struct err"),
    OPT(struct args, files, .name = "files", .type = OPT_BOOL, .help = "list every regular file"),
    OPT(struct args, times, .name = "times", .type = OPT_BOOL,
	.help = "also what differs in its time only"),
    OPT(struct args, user, .name = "user", .type = OPT_STR, .arg = "NAME",
	.help = "look this account up"),
    OPT_END,
};

static int print(const struct buf *out, struct err *e)
{
	int r = buf_fail(out, "result", e);

	if (r < 0)
		return r;
	errno = -fd_write_all(STDOUT_FILENO, out->p, out->len);
	return errno ? err_sys(e, "write the result") : 0;
}

static int compare(const struct args *a, const struct merge_layer *layers, size_t n,
		   struct buf *out, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT;
	struct compare_trees_side from = {layers, (size_t)a->compare};
	struct compare_trees_side to = {layers + from.n, n - from.n};
	struct review_changes result;
	int r = compare_trees_run(&from, &to, a->times, &arena, &result, e);

	if (r < 0)
		return r;
	review_changes_print(&result, out);
	return print(out, e);
}

static int review(const struct args *a, size_t n, char **paths, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT;
	auto_buf struct buf out = BUF_INIT(REVIEW_MAX);
	struct merge_layer layers[LIMIT_LAYERS];
	struct scan_opts o = {.files = a->files, .user = a->user};
	int keep = (int)a->err_fd, r = 0;
	struct jail_opts jo = {.keep_fds = &keep, .n_keep = 1, .dir_fd = -1};
	struct review result;

	if ((size_t)a->compare > n)
		return err_set(e, ERR_USAGE, "--compare wants more layers");
	if (n > LIMIT_LAYERS)
		return err_set(e, ERR_USAGE, "at most %d layers", LIMIT_LAYERS);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = merge_map(paths[i], &layers[i], e);
	if (r >= 0)
		r = jail_enter(&jo, e);
	if (r >= 0 && a->compare)
		return compare(a, layers, n, &out, e);
	if (r >= 0)
		r = scan_run(layers, n, &o, &arena, &result, e);
	if (r < 0)
		return r;
	review_print(&result, &out);
	return print(&out, e);
}

static int help(void)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	buf_puts(&b, "caisson-review [OPTIONS] LAYER...\n\n");
	opt_help(opts, &b);
	return fd_write_all(STDOUT_FILENO, b.p, b.len) < 0;
}

int main(int argc, char **argv)
{
	struct args a = {.err_fd = -1};
	struct err e = ERR_INIT;
	int r;

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = opt_parse(opts, argc, argv, OPT_MIXED, &a, &e);
	if (r >= 0)
		r = review(&a, (size_t)(argc - r), argv + r, &e);
	else if (e.kind == ERR_CANCELED)
		return help();
	if (r < 0 && a.err_fd >= 0)
		(void)!write((int)a.err_fd, &e, sizeof(e));
	else if (r < 0)
		fprintf(stderr, "caisson-review: %s\n", e.msg);
	return r >= 0 ? 0 : e.kind == ERR_USAGE ? 2 : 1;
}
