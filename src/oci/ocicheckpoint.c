/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocicheckpoint.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/json.h"
#include "fmt/mountinfo.h"
#include "oci/ocicreate.h"
#include "oci/ocicriu.h"
#include "oci/ocistate.h"
#include "runtime/cgroup.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOUNTINFO_MAX (16u << 20)
#define END_MS	      10000 /* for the process to be gone after criu has killed it */

struct args {
	struct ocicriu_args common;
	const char *parent_path, *page_server;
	int64_t status_fd;
	bool leave_running, pre_dump;
};

#define COMMON(field_, name_, help_)                                                               \
	OPT(struct args, common.field_, .name = (name_), .type = OPT_BOOL, .help = (help_))

const struct opt ocicheckpoint_opts[] = {
    OPT(struct args, common.image_path, .name = "image-path", .type = OPT_STR, .arg = "DIR",
	.help = "where the images go, default ./checkpoint"),
    OPT(struct args, common.work_path, .name = "work-path", .type = OPT_STR, .arg = "DIR",
	.help = "where criu keeps its log, default the images' directory"),
    OPT(struct args, parent_path, .name = "parent-path", .type = OPT_STR, .arg = "DIR",
	.help = "images of an earlier --pre-dump, relative to --image-path"),
    OPT(struct args, leave_running, .name = "leave-running", .type = OPT_BOOL,
	.help = "the instance goes on"),
    OPT(struct args, pre_dump, .name = "pre-dump", .type = OPT_BOOL,
	.help = "only its memory, and the instance goes on"),
    COMMON(tcp_established, "tcp-established", "allow open TCP connections"),
    COMMON(skip_in_flight, "tcp-skip-in-flight", "leave TCP connections out that are being made"),
    COMMON(ext_unix_sk, "ext-unix-sk", "allow unix sockets whose other end is outside"),
    COMMON(shell_job, "shell-job", "allow a session or terminal from outside"),
    COMMON(file_locks, "file-locks", "allow held file locks"),
    COMMON(link_remap, "link-remap", "allow open files that have been removed"),
    COMMON(lazy_pages, "lazy-pages", "keep the memory here until it is asked for"),
    COMMON(auto_dedup, "auto-dedup", "remove pages from the parent that are written again"),
    OPT(struct args, page_server, .name = "page-server", .type = OPT_STR, .arg = "ADDRESS:PORT",
	.help = "send the memory to this page server of criu"),
    OPT(struct args, status_fd, .name = "status-fd", .type = OPT_INT, .arg = "N", .min = -1,
	.max = 1 << 20, .preset = "-1",
	.help = "gets a zero byte when lazy pages can be asked for"),
    OPT(struct args, common.cgroups_mode, .name = "manage-cgroups-mode", .type = OPT_STR,
	.arg = "MODE", .help = "soft (default), full, strict or ignore"),
    OPT(struct args, common.empty_ns, .name = "empty-ns", .type = OPT_STR, .arg = "network",
	.help = "the network namespace is restored without what is in it"),
    OPT_END,
};

/* ADDRESS:PORT, the address perhaps in brackets. */
static int page_server(const char *text, struct arena *a, struct criu_rpc_opts *o, struct err *e)
{
	const char *colon = strrchr(text, ':');
	char *end = NULL;
	long port = colon ? strtol(colon + 1, &end, 10) : 0;
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (n > 1 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (!n || !end || *end || port < 1 || port > 65535)
		return err_set(e, ERR_USAGE, "--page-server wants ADDRESS:PORT, not '%s'", text);
	o->page_server = arena_dupn(a, text, n);
	o->page_server_port = (int)port;
	return 0;
}

static int check(const struct args *x, const struct ocistate *s, const struct plan *p, int dir,
		 struct err *e)
{
	enum ocistate_status now = ocistate_now(dir, s);

	if (s->vm)
		return err_set(e, ERR_UNSUPPORTED,
			       "checkpoint with isolation vm: criu sees no processes of a guest");
	if (geteuid() != 0)
		return err_set(e, ERR_UNSUPPORTED, "checkpoint needs root: criu does");
	if (now != OCISTATE_RUNNING && now != OCISTATE_PAUSED)
		return err_set(e, ERR_CONFLICT, "container cannot be checkpointed in %s state",
			       ocistate_names[now]);
	if (x->parent_path && *x->parent_path == '/')
		return err_set(e, ERR_USAGE, "--parent-path must be relative to --image-path");
	for (size_t i = 0; i < p->linux_->namespaces.n; i++) {
		const struct plan_namespace *ns = &p->linux_->namespaces.v[i];

		if (ns->path && *ns->path && !streq(ns->type, "network") && !streq(ns->type, "pid"))
			return err_set(e, ERR_UNSUPPORTED,
				       "checkpoint of an instance that joined a %s namespace: criu "
				       "finds only network and pid again",
				       ns->type);
	}
	return 0;
}

static int namespace(const struct plan *p, const char *type, const char *proc, const char *name,
		     pid_t pid, struct arena *a, struct strs *out, struct err *e)
{
	const char *path = plan_namespace_path(p, type);
	struct stat st;

	if (!path || !*path)
		return 0;
	if (stat(arena_printf(a, "/proc/%d/ns/%s", (int)pid, proc), &st) < 0)
		return err_sys(e, "%s namespace", type);
	arena_strs_add(a, out, arena_printf(a, "%s[%lu]:%s", proc, (unsigned long)st.st_ino, name));
	return 0;
}

/* criu freezes by it, so that no process forks meanwhile. */
static const char *freezer(const struct cgroup *cg, struct arena *a)
{
	const struct cgroup_place *places, *found = NULL;
	size_t n = cgroup_places(cg, &places);

	for (size_t i = 0; i < n; i++)
		if (places[i].fd >= 0 && (mountinfo_has(places[i].controllers, "freezer") ||
					  (places[i].version == 2 && !found)))
			found = &places[i];
	return found ? arena_printf(a, "%s/%s", found->mount, found->path) : NULL;
}

/* ---- stdin, stdout, stderr ---- */

/* Is this mount one of the process's namespace? */
static bool mounted_inside(pid_t pid, int64_t id)
{
	auto_free char *text = NULL;
	struct mountinfo_entry m;
	char name[48], *at;

	snprintf(name, sizeof(name), "/proc/%d/mountinfo", (int)pid);
	if (file_read(AT_FDCWD, name, MOUNTINFO_MAX, &text) < 0)
		return true;
	for (at = text; mountinfo_next(&at, &m);)
		if (m.id == id)
			return true;
	return false;
}

static int64_t mount_of(pid_t pid, int fd)
{
	auto_free char *text = NULL;
	char name[48];
	const char *at;

	snprintf(name, sizeof(name), "/proc/%d/fdinfo/%d", (int)pid, fd);
	at = file_read(AT_FDCWD, name, 4096, &text) < 0 ? NULL : strstr(text, "mnt_id:");
	return at ? strtoll(at + 7, NULL, 10) : -1;
}

/* What criu will call it: "pipe:[N]" it says by itself, a file of the host's has to be announced.
 * Anything else it restores or refuses without us. */
static const char *descriptor(pid_t pid, int fd, struct arena *a, struct strs *external)
{
	char name[48], target[PATH_MAX];
	const char *said;
	struct stat st;
	int64_t mount;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(name, target, sizeof(target) - 1);
	if (n <= 0 || stat(name, &st) < 0)
		return "";
	target[n] = '\0';
	if (strncmp(target, "pipe:", 5) == 0)
		return arena_dup(a, target);
	mount = mount_of(pid, fd);
	if (target[0] != '/' || (S_ISCHR(st.st_mode) && strncmp(target, "/dev/pts/", 9) == 0) ||
	    mount < 0 || mounted_inside(pid, mount))
		return target[0] == '/' ? arena_dup(a, target) : "";
	said = arena_printf(a, "file[%llx:%llx]", (long long)mount, (unsigned long long)st.st_ino);
	arena_strs_add(a, external, said);
	return said;
}

static int descriptors(const struct ocicriu *c, pid_t pid, struct arena *a, struct strs *external,
		       struct err *e)
{
	auto_buf struct buf b = BUF_INIT(64 * 1024);
	int r;

	for (int i = 0; i < 3; i++) {
		buf_puts(&b, i ? "," : "[");
		json_quote(&b, descriptor(pid, i, a, external));
	}
	buf_puts(&b, "]\n");
	r = buf_fail(&b, OCICRIU_DESCRIPTORS, e);
	if (r == 0)
		r = file_replace(c->images, OCICRIU_DESCRIPTORS, b.p, b.len, 0600, FILE_LAZY);
	if (r < 0 && r != -EOVERFLOW) {
		errno = -r;
		return err_sys(e, "write " OCICRIU_DESCRIPTORS);
	}
	return r;
}

/* ---- the command ---- */

static int notified(void *ctx, const struct criu_rpc_response *what, int fd, struct err *e)
{
	const struct args *x = ctx;

	fd_close(fd);
	if (!streq(what->script, "status-ready") || x->status_fd < 0)
		return 0;
	if (write((int)x->status_fd, "", 1) != 1)
		return err_sys(e, "--status-fd %d", (int)x->status_fd);
	close((int)x->status_fd);
	return 0;
}

static int wait_for_end(pid_t pid, uint64_t start_time, struct err *e)
{
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0 || ocistate_start_time(pid) != start_time || poll(&p, 1, END_MS) > 0)
		return 0;
	return err_set(e, ERR_TIMEOUT, "process %d does not end", (int)pid);
}

static int dump(const struct ocicmd_globals *g, const struct args *x, const struct ocistate *s,
		const struct plan *p, struct arena *a, struct err *e)
{
	auto_cgroup struct cgroup *cg = NULL;
	auto_ocicriu struct ocicriu c = OCICRIU_INIT;
	struct criu_rpc_response answer;
	struct strs external = {0};
	const pid_t pid = (pid_t)s->pid;
	int r = ocicriu_begin(&c, &x->common, "dump.log", true, e);

	if (r == 0 && s->cgroup)
		r = cgroup_open_saved(s->cgroup, &cg, e);
	if (r == 0 && x->page_server)
		r = page_server(x->page_server, a, &c.o, e);
	if (r == 0)
		r = ocicriu_mounts(p, s->bundle, cg, pid, a, &external, e);
	if (r == 0)
		r = namespace(p, "network", "net", OCICRIU_NET, pid, a, &external, e);
	if (r == 0)
		r = namespace(p, "pid", "pid", OCICRIU_PID, pid, a, &external, e);
	if (r == 0 && !x->pre_dump)
		r = descriptors(&c, pid, a, &external, e);
	if (r < 0)
		return r;
	if (x->parent_path && faccessat(c.images, x->parent_path, F_OK, 0) < 0)
		return err_sys(e, "--parent-path '%s'", x->parent_path);
	c.o.pid = pid;
	c.o.external = &external;
	c.o.parent = x->parent_path;
	/* Which pages were written since: also for those that come later. */
	c.o.track_mem = x->pre_dump || x->parent_path;
	c.o.leave_running = x->leave_running || x->pre_dump;
	c.o.freeze_cgroup = cg ? freezer(cg, a) : NULL;
	c.notified = notified;
	c.ctx = (void *)(uintptr_t)x;
	return ocicriu_talk(g, &c, x->pre_dump ? CRIU_RPC_PRE_DUMP : CRIU_RPC_DUMP, &answer, e);
}

int ocicheckpoint_checkpoint(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_fd int root_fd = -1, dir = -1;
	auto_arena struct arena a = ARENA_INIT;
	struct args x = {0};
	struct ocistate s;
	struct plan *p = NULL;
	int r, i = opt_parse(ocicheckpoint_opts, argc, argv, OPT_MIXED, &x, e);

	if (i < 0)
		return i;
	if (argc - i != 1)
		return err_set(e, ERR_USAGE, "\"checkpoint\" requires exactly 1 argument");
	root_fd = ocistate_open_root(g->root, false, e);
	if (root_fd < 0)
		return root_fd;
	r = ocistate_load(root_fd, argv[i], &dir, &s, &a, e);
	if (r == 0)
		r = ocistate_plan(dir, &a, &p, e);
	if (r == 0)
		r = check(&x, &s, p, dir, e);
	if (r == 0) {
		r = dump(g, &x, &s, p, &a, e);
		if (r < 0)
			return err_wrap(e, r, "checkpoint of '%s'", s.id);
	}
	if (r < 0 || x.leave_running || x.pre_dump)
		return r;
	r = wait_for_end((pid_t)s.pid, s.start_time, e);
	return r < 0 ? r : ocicreate_destroy(g, root_fd, &s, p, e);
}
