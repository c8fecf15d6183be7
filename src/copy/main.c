/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-copy - one end of a copy: a path of a tree into a tar archive (--get), or an archive into
 * a tree (--put).  The tree is an instance's, running or not, or the user's own.  Lives for one
 * copy; once it has the tree's descriptor it sees nothing else (unpack/jail.h): every path is
 * walked beneath that root, whatever links a workload puts there meanwhile.  Nothing of the tree is
 * ever loaded or executed (CVE-2019-14271): no library is opened after the start. Parses hostile
 * bytes from: workloads.
 *
 *   caisson-copy --get PATH --as NAME [--follow] TREE
 *   caisson-copy --put PATH --kind item|contents|raw [--links] [--archive] [--owner-root] TREE
 *   caisson-copy --stat PATH TREE
 *   caisson-copy --export TREE			all of it, under its own names
 *   caisson-copy --changes --of UPPER [--skip PATH]... TREE	against the tree of the image
 *   TREE: --root FD | --bare FD | [--layer-ns PATH] --lower DIR... [--upper DIR --work DIR]
 *
 * --data: the archive's descriptor.  stdout: for --put the bytes of files written, for --changes
 * and
 * --stat what files/filework.h says.  --err-fd: on failure one struct err, else its text on stderr.
 * Exit codes: 0, 1 failure, 2 usage.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "files/filework.h"
#include "files/rootview.h"
#include "unpack/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct args {
	struct filework w;
	int64_t root, bare, data, err_fd;
	const char *layer_ns, *upper, *work, *option, *of;
	struct opt_list lower;
	bool fuse_marks;
	int lower_fd; /* with --changes: what is kept besides the directory */
};

#define FD_OPT(field, name_, help_)                                                                \
	OPT(struct args, field, .name = name_, .type = OPT_INT, .arg = "FD", .min = -1,            \
	    .max = 1 << 20, .preset = "-1", .help = help_)

static const struct opt opts[] = {
    FILEWORK_OPTS(struct args, w),
    FD_OPT(bare, "bare", "mount namespace whose root is the tree, without what is mounted in it"),
    FD_OPT(data, "data", "the archive"),
    FD_OPT(err_fd, "err-fd", "write a failure there, as a struct err"),
    OPT(struct args, fuse_marks, .name = "fuse-marks", .type = OPT_BOOL,
	.help = "fuse-overlayfs made the writable layer"),
    OPT(struct args, layer_ns, .name = "layer-ns", .type = OPT_STR, .arg = "PATH",
	.help = "mount namespace in which the layers are seen"),
    OPT(struct args, lower, .name = "lower", .type = OPT_LIST, .arg = "DIR",
	.help = "a layer, topmost first"),
    OPT(struct args, of, .name = "of", .type = OPT_STR, .arg = "UPPER",
	.help = "the writable layer whose changes are meant"),
    OPT(struct args, option, .name = "option", .type = OPT_STR, .arg = "WORD",
	.help = "one more option of overlayfs"),
    FD_OPT(root, "root", "the tree's root"),
    OPT(struct args, upper, .name = "upper", .type = OPT_STR, .arg = "DIR",
	.help = "the writable layer"),
    OPT(struct args, work, .name = "work", .type = OPT_STR, .arg = "DIR",
	.help = "its work directory"),
    OPT_END,
};

static int open_tree_of(const struct args *a, struct err *e)
{
	struct rootview_stack s = {.layer_ns = a->layer_ns,
				   .lower = a->lower.v,
				   .nlower = a->lower.n,
				   .upper = a->upper,
				   .work = a->work,
				   .option = a->option};

	if (a->root >= 0)
		return (int)a->root;
	return a->bare >= 0 ? rootview_bare((int)a->bare, e) : rootview_overlay(&s, e);
}

static int lock_in(void *arg, int dir, bool read_only, struct err *e)
{
	const struct args *a = arg;
	int keep[] = {dir, (int)a->data, (int)a->err_fd, a->lower_fd};
	struct jail_opts jo = {.keep_fds = keep,
			       .n_keep = 4,
			       .dir_fd = dir,
			       .read_dir = read_only,
			       .trusted_xattrs = a->of && !a->option};

	return jail_enter(&jo, e);
}

static int run(struct args *a, int argc, char **argv, struct err *e)
{
	int first = opt_parse(opts, argc, argv, OPT_MIXED, a, e), r;
	struct filework_place p = {.lower = -1, .answer = STDOUT_FILENO, .lock = lock_in, .arg = a};
	auto_fd int upper = -1;

	if (first < 0)
		return first;
	r = filework_check(&a->w, e);
	if (r < 0)
		return r;
	if (first < argc || a->w.layer || (a->data < 0 && !a->w.changes && !a->w.stat) ||
	    a->w.changes != (a->of != NULL))
		return err_set(e, ERR_USAGE, "--data, or --changes and --of are needed");
	a->lower_fd = -1;
	p.user_marks = a->option != NULL;
	p.fuse_marks = a->fuse_marks;
	p.data = (int)a->data;
	/* Opened before the layers' namespace is entered. */
	if (a->of) {
		upper = open(a->of, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (upper < 0)
			return err_sys(e, "'%s'", a->of);
	}
	r = open_tree_of(a, e);
	if (r < 0)
		return r;
	p.root = a->of ? upper : r;
	p.lower = a->lower_fd = a->of ? r : -1;
	return filework_run(&a->w, &p, e);
}

int main(int argc, char **argv)
{
	struct args a = {.err_fd = -1};
	struct err e = ERR_INIT;
	int r;

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = run(&a, argc, argv, &e);
	if (r < 0 && a.err_fd > 2)
		(void)!write((int)a.err_fd, &e, sizeof(e));
	else if (r < 0)
		fprintf(stderr, "caisson-copy: %s\n", e.msg);
	return r >= 0 ? 0 : e.kind == ERR_USAGE ? 2 : 1;
}
