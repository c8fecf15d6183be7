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
 *   caisson-copy --export TREE			all of it, under its own names
 *   caisson-copy --changes UPPER [--skip PATH]... [--layer-ns PATH] --lower DIR...
 *   TREE: --root FD | --bare FD | [--layer-ns PATH] --lower DIR... [--upper DIR --work DIR]
 *
 * --data: the archive's descriptor.  stdout: for --put the bytes of files written, for --changes
 * the list (copy/changes.h).  --err-fd: on failure one struct err, else its text on stderr.  Exit
 * codes: 0, 1 failure, 2 usage.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "copy/changes.h"
#include "copy/copyin.h"
#include "copy/rootview.h"
#include "pack/packout.h"
#include "pack/packtree.h"
#include "sys/fd.h"
#include "sys/path.h"
#include "unpack/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHANGES_MAX (256u << 20)
#define LINKS_MAX   40 /* as the kernel follows on one path */

struct args {
	int64_t root, bare, data, err_fd;
	const char *get, *put, *as, *layer_ns, *upper, *work, *option, *changes;
	struct opt_list lower, skip;
	int kind;
	bool follow, links, archive, owner_root, export;
};

static const char *const kinds[] = {"item", "contents", "raw", NULL};

#define FD_OPT(field, name_, help_)                                                                \
	OPT(struct args, field, .name = name_, .type = OPT_INT, .arg = "FD", .min = -1,            \
	    .max = 1 << 20, .preset = "-1", .help = help_)

static const struct opt opts[] = {
    OPT(struct args, archive, .name = "archive", .type = OPT_BOOL,
	.help = "owners, setuid bits, devices as in the archive"),
    OPT(struct args, as, .name = "as", .type = OPT_STR, .arg = "NAME",
	.help = "what the path is called in the archive"),
    FD_OPT(bare, "bare", "mount namespace whose root is the tree, without what is mounted in it"),
    OPT(struct args, changes, .name = "changes", .type = OPT_STR, .arg = "UPPER",
	.help = "list what this upper directory changes"),
    FD_OPT(data, "data", "the archive"),
    FD_OPT(err_fd, "err-fd", "write a failure there, as a struct err"),
    OPT(struct args, export, .name = "export", .type = OPT_BOOL, .help = "write the whole tree"),
    OPT(struct args, follow, .name = "follow", .type = OPT_BOOL,
	.help = "what a link points to instead of the link"),
    OPT(struct args, get, .name = "get", .type = OPT_STR, .arg = "PATH",
	.help = "write this path as an archive"),
    OPT(struct args, kind, .name = "kind", .type = OPT_ENUM, .values = kinds,
	.arg = "item|contents|raw", .preset = "item", .help = "what the archive holds"),
    OPT(struct args, layer_ns, .name = "layer-ns", .type = OPT_STR, .arg = "PATH",
	.help = "mount namespace in which the layers are seen"),
    OPT(struct args, links, .name = "links", .type = OPT_BOOL,
	.help = "links in the tree are followed (they stay inside)"),
    OPT(struct args, lower, .name = "lower", .type = OPT_LIST, .arg = "DIR",
	.help = "a layer, topmost first"),
    OPT(struct args, option, .name = "option", .type = OPT_STR, .arg = "WORD",
	.help = "one more option of overlayfs"),
    OPT(struct args, owner_root, .name = "owner-root", .type = OPT_BOOL,
	.help = "what is written becomes 0:0's"),
    OPT(struct args, put, .name = "put", .type = OPT_STR, .arg = "PATH",
	.help = "read an archive into this path"),
    FD_OPT(root, "root", "the tree's root"),
    OPT(struct args, skip, .name = "skip", .type = OPT_LIST, .arg = "PATH",
	.help = "the place of a mount, no change while it is empty"),
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

static int lock_in(const struct args *a, int dir, bool read_only, struct err *e)
{
	int keep[] = {dir, (int)a->data, (int)a->err_fd};
	struct jail_opts jo = {.keep_fds = keep, .n_keep = 3, .dir_fd = dir, .read_dir = read_only};

	return jail_enter(&jo, e);
}

static int sys(struct err *e, int r, const char *path)
{
	errno = -r;
	return err_sys(e, "'%s'", path);
}

/* ---- get ---- */

/* Split off the last component; false when that is no name of its own ("", ".", ".."). */
static bool split(char *path, const char **dir, const char **base)
{
	size_t n = strlen(path);
	char *slash;

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	slash = strrchr(path, '/');
	*base = slash ? slash + 1 : path;
	*dir = !slash ? "." : slash == path ? "/" : path;
	if (!**base || streq(*base, ".") || streq(*base, ".."))
		return false;
	if (slash)
		*slash = '\0';
	return true;
}

/* The directory that holds what is to be read, and its name there.  Every step begins at the root
 * again, so a link that is swapped meanwhile leads to some other place inside at worst. */
static int find(const struct args *a, int root, char *path, size_t size, const char **name,
		struct err *e)
{
	bool follow = a->follow || (*a->get && a->get[strlen(a->get) - 1] == '/');
	char target[PATH_MAX], next[2 * PATH_MAX];
	const char *dir;

	snprintf(path, size, "%s", a->get);
	for (int i = 0; i < LINKS_MAX; i++) {
		char copy[PATH_MAX];
		ssize_t n;
		int fd;

		snprintf(copy, sizeof(copy), "%s", path);
		if (!split(path, &dir, name)) {
			fd = path_open(root, copy, O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
			*name = ".";
			return fd < 0 ? sys(e, fd, a->get) : fd;
		}
		fd = path_open(root, dir, O_RDONLY | O_DIRECTORY, 0, PATH_IN_ROOT);
		if (fd < 0)
			return sys(e, fd, a->get);
		n = follow ? readlinkat(fd, *name, target, sizeof(target) - 1) : -1;
		if (n < 0)
			return fd;
		target[n] = '\0';
		if (*target == '/')
			snprintf(next, sizeof(next), "%s", target);
		else
			snprintf(next, sizeof(next), "%s/%s", dir, target);
		close(fd);
		if (strlen(next) >= size)
			return sys(e, -ENAMETOOLONG, a->get);
		snprintf(path, size, "%s", next);
	}
	return sys(e, -ELOOP, a->get);
}

static int get(const struct args *a, int root, struct err *e)
{
	struct packtree_opts po = {.epoch = INT64_MAX};
	struct packtree_stats stats;
	struct packout *out;
	char path[PATH_MAX];
	const char *name = NULL;
	struct stat st;
	int dir, r;

	if (strlen(a->get) >= sizeof(path))
		return sys(e, -ENAMETOOLONG, a->get);
	dir = find(a, root, path, sizeof(path), &name, e);
	if (dir < 0)
		return dir;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sys(e, -errno, a->get);
	if (a->get[strlen(a->get) - 1] == '/' && !S_ISDIR(st.st_mode))
		return sys(e, -ENOTDIR, a->get);
	r = packout_open((int)a->data, PACKOUT_NONE, &out, e);
	if (r >= 0)
		r = lock_in(a, dir, true, e);
	if (r < 0)
		return r;
	r = packtree_item(dir, name, a->as ? a->as : ".", &po, out, &stats, e);
	if (r >= 0)
		r = packout_finish(out, e);
	packout_free(out);
	return r;
}

/* ---- put ---- */

static int put(const struct args *a, int root, struct err *e)
{
	struct copyin_opts co = {.kind = a->kind,
				 .path = a->put,
				 .links = a->links,
				 .archive = a->archive,
				 .owner_root = a->owner_root};
	char answer[32];
	uint64_t bytes = 0;
	int r = lock_in(a, root, false, e);

	if (r >= 0)
		r = copyin_run(root, &co, (int)a->data, &bytes, e);
	if (r < 0)
		return r;
	r = snprintf(answer, sizeof(answer), "%" PRIu64 "\n", bytes);
	return write(STDOUT_FILENO, answer, (size_t)r) < 0 ? err_sys(e, "write the result") : 0;
}

/* ---- the whole ---- */

static int export(const struct args *a, int root, struct err *e)
{
	struct packtree_opts po = {.epoch = INT64_MAX};
	struct packtree_stats stats;
	struct packout *out;
	int r = packout_open((int)a->data, PACKOUT_NONE, &out, e);

	if (r >= 0)
		r = lock_in(a, root, true, e);
	if (r >= 0)
		r = packtree_write(root, &po, out, &stats, e);
	if (r >= 0)
		r = packout_finish(out, e);
	packout_free(out);
	return r;
}

/* Opened before the layers' namespace is entered; then only what is beneath both is seen. */
static int changes(const struct args *a, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(CHANGES_MAX);
	auto_fd int upper = open(a->changes, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strs skip = {a->skip.v, a->skip.n};
	struct changes_opts co = {.skip = &skip, .user_marks = a->option != NULL};
	int lower, keep[3], r;
	struct jail_opts jo = {
	    .keep_fds = keep, .n_keep = 3, .read_dir = true, .trusted_xattrs = !a->option};

	if (upper < 0)
		return err_sys(e, "'%s'", a->changes);
	lower = open_tree_of(a, e);
	if (lower < 0)
		return lower;
	jo.dir_fd = keep[0] = upper;
	keep[1] = lower;
	keep[2] = (int)a->err_fd;
	r = jail_enter(&jo, e);
	if (r >= 0)
		r = changes_list(upper, lower, &co, &out, e);
	if (r < 0)
		return r;
	errno = -fd_write_all(STDOUT_FILENO, out.p, out.len);
	return errno ? err_sys(e, "write the result") : 0;
}

static int run(struct args *a, int argc, char **argv, struct err *e)
{
	int first = opt_parse(opts, argc, argv, OPT_MIXED, a, e), root;

	if (first < 0)
		return first;
	if (first < argc ||
	    (a->get != NULL) + (a->put != NULL) + (a->changes != NULL) + a->export != 1)
		return err_set(e, ERR_USAGE,
			       "one of --get, --put, --export and --changes is needed");
	if (a->changes)
		return changes(a, e);
	if (a->data < 0)
		return err_set(e, ERR_USAGE, "--data is needed");
	if ((a->get && !*a->get) || (a->put && !*a->put))
		return err_set(e, ERR_USAGE, "the path is empty");
	root = open_tree_of(a, e);
	if (root < 0)
		return root;
	if (a->export)
		return export(a, root, e);
	return a->get ? get(a, root, e) : put(a, root, e);
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
