/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocicriu.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define LOG_MAX	  (64u << 20)
#define LOG_LEVEL 2 /* errors and warnings; with --debug everything */
#define SOCKET_FD 3 /* in criu */

void ocicriu_done(struct ocicriu *c)
{
	fd_close(c->images);
	fd_close(c->work);
	c->images = c->work = -1;
}

static int open_dir(const char *path, bool make, struct err *e)
{
	auto_fd int top = -1, made = -1;
	int fd;

	if (make) {
		top = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		made = top < 0 ? -errno : path_mkdirs(top, path, 0700, PATH_IN_ROOT);
		if (made < 0) {
			errno = -made;
			return err_sys(e, "directory '%s'", path);
		}
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "directory '%s'", path) : fd;
}

static int cgroups_mode(struct ocicriu *c, const char *mode, struct err *e)
{
	static const struct {
		const char *name;
		enum criu_rpc_cgroups mode;
	} known[] = {
	    {"ignore", CRIU_RPC_CGROUPS_IGNORE},
	    {"soft", CRIU_RPC_CGROUPS_SOFT},
	    {"full", CRIU_RPC_CGROUPS_FULL},
	    {"strict", CRIU_RPC_CGROUPS_STRICT},
	};

	c->o.manage_cgroups = true;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (streq(mode ? mode : "soft", known[i].name)) {
			c->o.cgroups = known[i].mode;
			return 0;
		}
	return err_set(e, ERR_USAGE,
		       "--manage-cgroups-mode wants soft, full, strict or ignore, not '%s'", mode);
}

int ocicriu_begin(struct ocicriu *c, const struct ocicriu_args *a, const char *log, bool make,
		  struct err *e)
{
	const char *images = a->image_path ? a->image_path : "checkpoint";
	int r = cgroups_mode(c, a->cgroups_mode, e);

	if (r < 0)
		return r;
	if (a->empty_ns && !streq(a->empty_ns, "network"))
		return err_set(e, ERR_USAGE, "--empty-ns wants network, not '%s'", a->empty_ns);
	c->images = r = open_dir(images, make, e);
	if (r >= 0)
		c->work = r = open_dir(a->work_path ? a->work_path : images, true, e);
	if (r < 0)
		return r;
	c->o.images_fd = c->images;
	c->o.work_fd = c->work;
	c->o.log_file = log;
	c->o.notify = true;
	c->o.orphan_pts = true;
	c->o.ext_unix_sk = a->ext_unix_sk;
	c->o.tcp_established = a->tcp_established;
	c->o.skip_in_flight = a->skip_in_flight;
	c->o.shell_job = a->shell_job;
	c->o.file_locks = a->file_locks;
	c->o.lazy_pages = a->lazy_pages;
	c->o.auto_dedup = a->auto_dedup;
	c->o.link_remap = a->link_remap;
	c->o.empty_ns = a->empty_ns ? CLONE_NEWNET : 0;
	return 0;
}

/* ---- the conversation ---- */

struct session {
	int sock, errors; /* errors: what criu wrote before it had a log */
	pid_t pid;
};

static int begin(const struct ocicmd_globals *g, const struct ocicriu *c, struct session *s,
		 struct err *e)
{
	char path[PATH_MAX], number[16];
	const char *argv[] = {"criu", "swrk", number, NULL};
	struct child_fd fds[3 + sizeof(c->fds) / sizeof(c->fds[0])];
	struct child_opts o = {.path = path, .argv = argv, .env = child_environ(), .fds = fds};
	auto_fd int theirs = -1;
	int pair[2];

	if (child_find("criu", g->path, path, sizeof(path)) < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "criu is not installed (no program of that name in $PATH)");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	s->sock = pair[0];
	theirs = pair[1];
	s->errors = memfd_create("criu", MFD_CLOEXEC);
	if (s->errors < 0)
		return err_sys(e, "memfd");
	snprintf(number, sizeof(number), "%d", SOCKET_FD);
	fds[o.nfds++] = (struct child_fd){theirs, SOCKET_FD};
	fds[o.nfds++] = (struct child_fd){s->errors, 1};
	fds[o.nfds++] = (struct child_fd){s->errors, 2};
	for (size_t i = 0; i < c->nfds; i++)
		fds[o.nfds++] = c->fds[i];
	s->pid = child_start(&o);
	if (s->pid < 0) {
		errno = -s->pid;
		return err_sys(e, "start '%s'", path);
	}
	return c->cgroup ? cgroup_attach(c->cgroup, s->pid, e) : 0;
}

static void end(struct session *s)
{
	fd_close(s->sock);
	fd_close(s->errors);
	child_kill(s->pid);
}

static int send_it(const struct session *s, const struct buf *b, struct err *e)
{
	int r = buf_fail(b, "request to criu", e);

	if (r == 0 && send(s->sock, b->p, b->len, MSG_NOSIGNAL) < 0)
		return err_sys(e, "send to criu");
	return r;
}

static int serve(struct ocicriu *c, struct session *s, struct criu_rpc_response *out, struct err *e)
{
	auto_free char *packet = malloc(CRIU_RPC_MAX);

	for (;;) {
		auto_buf struct buf answer = BUF_INIT(64);
		size_t n = 1;
		int fd = -1, r;
		ssize_t len =
		    packet ? sock_recv_fds(s->sock, packet, CRIU_RPC_MAX, &fd, &n) : -ENOMEM;

		if (len == 0 || len == -ECONNRESET)
			return err_set(e, ERR_SYSTEM, "criu ended without an answer");
		if (len < 0) {
			errno = (int)-len;
			return err_sys(e, "receive from criu");
		}
		r = criu_rpc_parse(packet, (size_t)len, out, e);
		if (r < 0 || out->type != CRIU_RPC_NOTIFY) {
			fd_close(n ? fd : -1);
			return r;
		}
		r = c->notified ? c->notified(c->ctx, out, n ? fd : -1, e) : 0;
		/* criu undoes what it did, and its answer comes after ours. */
		criu_rpc_notified(&answer, r == 0);
		if (send_it(s, &answer, e) < 0 || r < 0)
			return r < 0 ? r : -EIO;
	}
}

/* Foreign text: control characters are left out. */
static void copy_line(const char *line, char *out, size_t size)
{
	size_t n = strlen(out);

	for (; *line && *line != '\n' && n + 1 < size; line++)
		if ((unsigned char)*line >= 0x20 && *line != 0x7f)
			out[n++] = *line;
	out[n] = '\0';
}

/* Lines say "Error (file:line): text".  The early ones are what criu found missing while it looked
 * around, the very last that it failed: the two before that have the cause and what it spoiled. */
static bool last_errors(const char *text, char *out, size_t size)
{
	const char *two[2] = {NULL, NULL}, *line;

	for (const char *at = text; (at = strstr(at, "Error (")) != NULL; at++) {
		line = strstr(at, "): ");
		if (!line || memmem(line, strcspn(line, "\n"), "ing FAILED.", 11))
			continue;
		two[0] = two[1];
		two[1] = line + 3;
	}
	out[0] = '\0';
	if (two[0]) {
		copy_line(two[0], out, size);
		copy_line("; ", out, size);
	}
	if (two[1])
		copy_line(two[1], out, size);
	return out[0];
}

static bool why(const struct ocicriu *c, const struct session *s, char *out, size_t size)
{
	auto_free char *log = NULL, *errors = NULL;

	if (c->o.log_file && file_read(c->work, c->o.log_file, LOG_MAX, &log) > 0 &&
	    last_errors(log, out, size))
		return true;
	return lseek(s->errors, 0, SEEK_SET) == 0 && fd_slurp(s->errors, LOG_MAX, &errors) > 0 &&
	       last_errors(errors, out, size);
}

/* Does criu itself say that it cannot work here? */
static bool refuses(const struct ocicmd_globals *g, const struct ocicriu *c, char *out, size_t size)
{
	struct ocicriu check = {
	    .images = c->images,
	    .work = c->work,
	    .o = {.images_fd = c->images,
		  .work_fd = c->work,
		  .log_level = LOG_LEVEL,
		  .log_file = "check.log"},
	};
	auto_buf struct buf request = BUF_INIT(CRIU_RPC_MAX);
	struct criu_rpc_response answer = {0};
	struct session s = {.sock = -1, .errors = -1};
	bool bad = false;

	criu_rpc_request(&request, CRIU_RPC_CHECK, &check.o);
	if (begin(g, &check, &s, NULL) == 0 && send_it(&s, &request, NULL) == 0)
		bad = serve(&check, &s, &answer, NULL) < 0 || !answer.success;
	bad = bad && why(&check, &s, out, size);
	end(&s);
	unlinkat(c->work, check.o.log_file, 0);
	return bad;
}

static int failed(const struct ocicmd_globals *g, const struct ocicriu *c, const struct session *s,
		  const struct criu_rpc_response *answer, struct err *e)
{
	char text[384] = "", dir[PATH_MAX] = "", at[PATH_FD_MAX];
	ssize_t n = readlink(path_of_fd(c->work, at), dir, sizeof(dir) - 1);

	if (refuses(g, c, text, sizeof(text)))
		return err_set(e, ERR_UNSUPPORTED, "criu cannot work on this kernel: %s", text);
	if (!why(c, s, text, sizeof(text)))
		snprintf(text, sizeof(text), "%s",
			 answer->message[0] ? answer->message : strerror(answer->error));
	return err_set(e, ERR_SYSTEM, "criu: %s (log: %.*s/%s)", text, (int)(n > 0 ? n : 0), dir,
		       c->o.log_file);
}

int ocicriu_talk(const struct ocicmd_globals *g, struct ocicriu *c, enum criu_rpc_type type,
		 struct criu_rpc_response *out, struct err *e)
{
	auto_buf struct buf request = BUF_INIT(CRIU_RPC_MAX);
	struct criu_rpc_response answer = {0};
	struct session s = {.sock = -1, .errors = -1};
	struct err cause = ERR_INIT;
	int r;

	c->o.log_level = g->debug ? 4 : LOG_LEVEL;
	/* A log of last time would tell of another error. */
	unlinkat(c->work, c->o.log_file, 0);
	criu_rpc_request(&request, type, &c->o);
	r = begin(g, c, &s, e);
	if (r == 0)
		r = send_it(&s, &request, e);
	if (r == 0) {
		r = serve(c, &s, &answer, &cause);
		if (r < 0 && cause.sys && e)
			*e = cause;
		else if (r < 0 || !answer.success || answer.type != (uint64_t)type)
			r = failed(g, c, &s, &answer, e);
	}
	end(&s);
	if (r == 0)
		*out = answer;
	return r;
}

/* ---- what is the host's ---- */

struct externals {
	struct arena *a;
	struct strs *out;
	int root; /* of the running instance, or -1 */
};

/* Where the kernel says that it is: links in the root are followed, as when it was mounted. */
static bool place_of(int root, const char *path, bool *directory, char *out, size_t size)
{
	auto_fd int fd = path_open(root, path, O_PATH, 0, PATH_IN_ROOT);
	char at[PATH_FD_MAX];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	*directory = S_ISDIR(st.st_mode);
	n = readlink(path_of_fd(fd, at), out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* files_only: a masked directory has a tmpfs, which criu makes again by itself. */
static void add(struct externals *x, const char *name, const char *source, bool files_only)
{
	char place[PATH_MAX];
	bool directory;

	if (x->root < 0)
		arena_strs_add(x->a, x->out, arena_printf(x->a, "mnt[%s]:%s", name, source));
	else if (place_of(x->root, name, &directory, place, sizeof(place)) &&
		 !(directory && files_only))
		arena_strs_add(x->a, x->out, arena_printf(x->a, "mnt[%s]:%s", place, name));
}

static bool is_bind(const struct plan_mount *m)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (streq(m->options.v[i], "bind") || streq(m->options.v[i], "rbind"))
			return true;
	return m->type && streq(m->type, "bind");
}

/* What is mounted of each hierarchy is the instance's directory.  In a cgroup namespace criu sees
 * the root of v2 there, and mounts it by itself. */
static void add_cgroups(struct externals *x, const struct plan *p, const struct plan_mount *m,
			const struct cgroup *cg)
{
	const struct cgroup_place *places;
	size_t n = cg ? cgroup_places(cg, &places) : 0;

	for (size_t i = 0; i < n; i++) {
		const char *base = places[i].version == 1 ? strrchr(places[i].mount, '/') : "";

		if (base && (places[i].version == 1 || !plan_namespace_path(p, "cgroup")))
			add(x, arena_printf(x->a, "%s%s", m->destination, base),
			    arena_printf(x->a, "%s/%s", places[i].mount, places[i].path), false);
	}
}

/* Where device nodes could not be made they are the host's, bound (runtime/devices.c). */
static void add_devices(struct externals *x, const struct plan *p)
{
	static const char *const nodes[] = {"/dev/null",   "/dev/zero",	   "/dev/full",
					    "/dev/random", "/dev/urandom", "/dev/tty"};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		add(x, nodes[i], nodes[i], true);
	for (size_t i = 0; i < p->linux_->devices.n; i++)
		add(x, p->linux_->devices.v[i].path, p->linux_->devices.v[i].path, true);
}

int ocicriu_mounts(const struct plan *p, const char *bundle, const struct cgroup *cg, pid_t pid,
		   struct arena *a, struct strs *out, struct err *e)
{
	auto_fd int root = -1;
	struct externals x = {.a = a, .out = out, .root = -1};
	char path[48];

	if (pid) {
		snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
		x.root = root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			return err_sys(e, "root of process %d", (int)pid);
	}
	for (size_t i = 0; i < p->mounts.n; i++) {
		const struct plan_mount *m = &p->mounts.v[i];

		if (is_bind(m) && m->source)
			add(&x, m->destination,
			    *m->source == '/' ? m->source
					      : arena_printf(a, "%s/%s", bundle, m->source),
			    false);
		else if (m->type && streq(m->type, "cgroup"))
			add_cgroups(&x, p, m, cg);
	}
	for (size_t i = 0; i < p->linux_->masked_paths.n; i++)
		add(&x, p->linux_->masked_paths.v[i], "/dev/null", true);
	if (plan_namespace_path(p, "user"))
		add_devices(&x, p);
	return 0;
}
