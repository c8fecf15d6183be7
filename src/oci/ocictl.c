/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocictl.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/json.h"
#include "oci/ocicreate.h"
#include "oci/ocistate.h"
#include "oci/ocivm.h"
#include "runtime/cgroup.h"
#include "spec/plan.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* An instance opened by id. */
struct known {
	int root_fd, dir;
	struct arena a;
	struct ocistate s;
};
#define KNOWN_INIT ((struct known){.root_fd = -1, .dir = -1})

static void known_done(struct known *k)
{
	fd_close(k->dir);
	fd_close(k->root_fd);
	arena_free(&k->a);
}
#define auto_known __attribute__((cleanup(known_done)))

static int known_open(struct known *k, const struct ocicmd_globals *g, const char *id,
		      struct err *e)
{
	k->root_fd = ocistate_open_root(g->root, false, e);
	if (k->root_fd == -ENOENT) {
		struct err nothing = ERR_INIT;

		if (e)
			*e = nothing;
		return err_set(e, ERR_NOT_FOUND, "container does not exist: '%s'", id);
	}
	if (k->root_fd < 0)
		return k->root_fd;
	return ocistate_load(k->root_fd, id, &k->dir, &k->s, &k->a, e);
}

static int cgroup_of(const struct known *k, struct cgroup **cg, struct err *e)
{
	if (!k->s.cgroup)
		return err_set(e, ERR_UNSUPPORTED, "container has no cgroup");
	return cgroup_open_saved(k->s.cgroup, cg, e);
}

static int one_id(const struct opt *opts, int argc, char **argv, void *args, const char **id,
		  struct err *e)
{
	int i = opt_parse(opts, argc, argv, OPT_MIXED, args, e);

	if (i < 0)
		return i;
	if (argc - i != 1)
		return err_set(e, ERR_USAGE, "\"%s\" requires exactly 1 argument", argv[0]);
	*id = argv[i];
	return 0;
}

static const struct opt no_opts[] = {OPT_END};

/* ---- state ---- */

static void annotations(const struct plan *p, struct buf *b)
{
	if (!p || !p->annotations.n)
		return;
	buf_puts(b, ",\n  \"annotations\": {");
	for (size_t i = 0; i < p->annotations.n; i++) {
		buf_puts(b, i ? ",\n    " : "\n    ");
		json_quote(b, p->annotations.v[i].key);
		buf_puts(b, ": ");
		json_quote(b, p->annotations.v[i].value);
	}
	buf_puts(b, "\n  }");
}

static void member(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, ",\n  \"%s\": ", key);
	json_quote(b, value ? value : "");
}

static void print_state(const struct known *k, const struct plan *p, struct buf *b)
{
	enum ocistate_status now = ocistate_now(k->dir, &k->s);

	buf_puts(b, "{\n  \"ociVersion\": ");
	json_quote(b, p ? p->oci_version : "1.2.0");
	member(b, "id", k->s.id);
	buf_printf(b, ",\n  \"pid\": %lld", now == OCISTATE_STOPPED ? 0LL : (long long)k->s.pid);
	member(b, "status", ocistate_names[now]);
	member(b, "bundle", k->s.bundle);
	member(b, "rootfs", k->s.rootfs);
	member(b, "created", k->s.created);
	annotations(p, b);
	member(b, "owner", k->s.owner);
	buf_puts(b, "\n}\n");
}

int ocictl_state(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_known struct known k = KNOWN_INIT;
	auto_buf struct buf b = BUF_INIT(1 << 20);
	struct plan *p = NULL;
	const char *id;
	int r = one_id(no_opts, argc, argv, NULL, &id, e);

	if (r == 0)
		r = known_open(&k, g, id, e);
	if (r < 0)
		return r;
	ocistate_plan(k.dir, &k.a, &p, NULL);
	print_state(&k, p, &b);
	if (buf_fail(&b, "state", e) < 0)
		return -EOVERFLOW;
	r = fd_write_all(1, b.p, b.len);
	return r < 0 ? err_set(e, ERR_SYSTEM, "write state") : 0;
}

/* ---- kill ---- */

int ocictl_signal(const char *text)
{
	const char *name = text;
	int v = 0;

	if (*text >= '0' && *text <= '9') {
		for (; *text >= '0' && *text <= '9'; text++) {
			v = v * 10 + (*text - '0');
			if (v > SIGRTMAX)
				return -EINVAL;
		}
		return *text ? -EINVAL : v;
	}
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (strncasecmp(name, "RTMIN", 5) == 0 || strncasecmp(name, "RTMAX", 5) == 0) {
		const bool min = strncasecmp(name, "RTMIN", 5) == 0;

		v = name[5] ? (int)strtol(name + 6, NULL, 10) : 0;
		if (name[5] && name[5] != (min ? '+' : '-'))
			return -EINVAL;
		v = min ? SIGRTMIN + v : SIGRTMAX - v;
		return v < SIGRTMIN || v > SIGRTMAX ? -EINVAL : v;
	}
	for (int i = 1; i < 32; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcasecmp(known, name) == 0)
			return i;
	}
	return strcasecmp(name, "IOT") == 0   ? SIGABRT
	       : strcasecmp(name, "CLD") == 0 ? SIGCHLD
					      : -EINVAL;
}

struct kill_args {
	bool all;
};
const struct opt ocictl_kill_opts[] = {
    OPT(struct kill_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "signal every process of the container"),
    OPT_END,
};

/* By pidfd, checked after it was opened: the number may have been given to somebody else. */
static int signal_init(const struct known *k, int sig, struct err *e)
{
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)k->s.pid, 0);

	if (pidfd < 0 || ocistate_start_time((pid_t)k->s.pid) != k->s.start_time)
		return err_set(e, ERR_CONFLICT, "container not running");
	if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0)
		return err_sys(e, "signal %d", sig);
	return 0;
}

static bool own_pid_namespace(const struct known *k)
{
	struct plan *p = NULL;

	if (ocistate_plan(k->dir, (struct arena *)(uintptr_t)&k->a, &p, NULL) < 0)
		return true;
	return plan_namespace_path(p, "pid") != NULL;
}

/* The process that stands for a workload in a machine passes signals on, but for the one that stops
 * it, and those that it cannot tell from the kernel's own to it. */
static bool by_connection(int sig)
{
	return sig == SIGSTOP || sig == SIGCHLD || sig == SIGPIPE || sig == SIGWINCH;
}

int ocictl_kill(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_known struct known k = KNOWN_INIT;
	auto_cgroup struct cgroup *cg = NULL;
	struct kill_args x = {0};
	int sig = SIGTERM, r, i = opt_parse(ocictl_kill_opts, argc, argv, OPT_MIXED, &x, e);

	if (i < 0)
		return i;
	if (argc - i < 1 || argc - i > 2)
		return err_set(e, ERR_USAGE,
			       "\"kill\" requires a container id and perhaps a signal");
	if (argc - i == 2)
		sig = ocictl_signal(argv[i + 1]);
	if (sig < 0)
		return err_set(e, ERR_USAGE, "unknown signal \"%s\"", argv[i + 1]);
	r = known_open(&k, g, argv[i], e);
	if (r < 0)
		return r;
	/* Processes outlive process 1 only where they have no pid namespace of their own. */
	if (x.all && k.s.vm && sig != SIGKILL)
		return err_set(e, ERR_UNSUPPORTED,
			       "kill --all of a virtual machine: only KILL reaches every process");
	if (x.all || (!k.s.vm && !own_pid_namespace(&k))) {
		r = cgroup_of(&k, &cg, e);
		if (r == 0 && (x.all || sig == SIGKILL))
			return cgroup_kill(cg, sig, e);
	}
	if (r == 0 && ocistate_now(k.dir, &k.s) == OCISTATE_STOPPED)
		return err_set(e, ERR_CONFLICT, "container not running");
	if (r == 0 && k.s.vm && by_connection(sig))
		return ocivm_signal(k.dir, sig, e);
	if (r == 0)
		r = signal_init(&k, sig, e);
	/* A frozen process does not die of SIGKILL before it is thawed on v1. */
	if (r == 0 && sig == SIGKILL && !cg && cgroup_of(&k, &cg, NULL) == 0)
		cgroup_freeze(cg, false, NULL);
	return r;
}

/* ---- delete ---- */

struct delete_args {
	bool force;
};
const struct opt ocictl_delete_opts[] = {
    OPT(struct delete_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "kill it first if it still runs, and be content when it does not exist"),
    OPT_END,
};

static int end_process(const struct known *k, struct err *e)
{
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)k->s.pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	auto_cgroup struct cgroup *cg = NULL;
	int r;

	if (pidfd < 0 || ocistate_start_time((pid_t)k->s.pid) != k->s.start_time)
		return 0;
	r = syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH ? -errno
											  : 0;
	if (r < 0)
		return err_set(e, ERR_DENIED, "kill process %lld", (long long)k->s.pid);
	if (cgroup_of(k, &cg, NULL) == 0)
		cgroup_kill(cg, SIGKILL, NULL);
	/* A pidfd is readable when the process is a zombie: nobody's reaping is waited for. */
	if (poll(&p, 1, 10000) == 0)
		return err_set(e, ERR_TIMEOUT, "process %lld does not end", (long long)k->s.pid);
	return 0;
}

/* A directory without state: a create that was killed.  Its lock tells whether one is under way. */
static int delete_remains(const struct ocicmd_globals *g, int root_fd, const char *id,
			  struct err *e)
{
	auto_fd int dir = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct timespec step = {.tv_nsec = 5 * 1000 * 1000};
	auto_arena struct arena a = ARENA_INIT;
	struct plan *p = NULL;

	if (dir < 0)
		return 0;
	/* The kernel kills what a killed create has started (PR_SET_PDEATHSIG), which holds the
	 * lock for as long as dying takes. */
	for (int i = 0; flock(dir, LOCK_EX | LOCK_NB) < 0; i++) {
		if (i == 200)
			return err_set(e, ERR_CONFLICT, "container '%s' is being created", id);
		nanosleep(&step, NULL);
	}
	/* It came to its end meanwhile. */
	if (faccessat(dir, "state.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(e, ERR_CONFLICT, "container '%s' was created just now", id);
	if (ocistate_plan(dir, &a, &p, NULL) == 0 && p->linux_) {
		struct cgroup_request rq = {
		    .path = p->linux_->cgroups_path,
		    .id = id,
		    .driver = g->systemd_cgroup ? CGROUP_SYSTEMD : CGROUP_FS,
		};
		auto_cgroup struct cgroup *cg = NULL;

		if (cgroup_open(&rq, &cg, NULL) == 0) {
			cgroup_kill(cg, SIGKILL, NULL);
			cgroup_remove(cg, NULL);
		}
	}
	return ocistate_remove(root_fd, id, e);
}

int ocictl_delete(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_known struct known k = KNOWN_INIT;
	struct delete_args x = {0};
	struct plan *p = NULL;
	struct err why = ERR_INIT;
	enum ocistate_status now;
	const char *id;
	int r = one_id(ocictl_delete_opts, argc, argv, &x, &id, e);

	if (r == 0)
		r = ocistate_check_id(id, e);
	if (r < 0)
		return r;
	r = known_open(&k, g, id, &why);
	if (r == -ENOENT && x.force)
		return k.root_fd < 0 ? 0 : delete_remains(g, k.root_fd, id, e);
	if (r < 0) {
		if (e)
			*e = why;
		return r;
	}
	now = ocistate_now(k.dir, &k.s);
	if (now != OCISTATE_STOPPED && now != OCISTATE_CREATED && !x.force)
		return err_set(e, ERR_CONFLICT,
			       "cannot delete container %s that is not stopped: %s", id,
			       ocistate_names[now]);
	r = end_process(&k, e);
	if (r < 0)
		return r;
	ocistate_plan(k.dir, &k.a, &p, NULL);
	return ocicreate_destroy(g, k.root_fd, &k.s, p, e);
}

/* ---- list ---- */

struct list_args {
	int format;
	bool quiet;
};
static const char *const list_formats[] = {"table", "json", NULL};
const struct opt ocictl_list_opts[] = {
    OPT(struct list_args, format, .name = "format", .letter = 'f', .type = OPT_ENUM,
	.arg = "FORMAT", .values = list_formats, .help = "table or json"),
    OPT(struct list_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "only ids"),
    OPT_END,
};

static void list_one(const struct list_args *x, const struct known *k, bool first, struct buf *b)
{
	enum ocistate_status now = ocistate_now(k->dir, &k->s);
	long long pid = now == OCISTATE_STOPPED ? 0 : (long long)k->s.pid;

	if (x->quiet) {
		buf_printf(b, "%s\n", k->s.id);
	} else if (x->format) {
		buf_puts(b, first ? "" : ",");
		buf_puts(b, "{\"ociVersion\":\"1.2.0\",\"id\":");
		json_quote(b, k->s.id);
		buf_printf(b, ",\"pid\":%lld,\"status\":\"%s\",\"bundle\":", pid,
			   ocistate_names[now]);
		json_quote(b, k->s.bundle);
		buf_puts(b, ",\"rootfs\":");
		json_quote(b, k->s.rootfs);
		buf_puts(b, ",\"created\":");
		json_quote(b, k->s.created);
		buf_puts(b, ",\"owner\":\"root\"}");
	} else {
		buf_printf(b, "%-20s %-11lld %-11s %-24s %-30s root\n", k->s.id, pid,
			   ocistate_names[now], k->s.bundle, k->s.created);
	}
}

int ocictl_list(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(64u << 20);
	struct list_args x = {0};
	struct err why = ERR_INIT;
	bool first = true;
	auto_fd int fd = -1;
	int r = opt_parse(ocictl_list_opts, argc, argv, OPT_MIXED, &x, e);
	struct dirent **all = NULL;
	int n;

	if (r < 0)
		return r;
	/* The default root that is not there has no instances and is not made for asking; one that
	 * was named is a mistake. */
	fd = ocistate_open_root(g->root, false, g->root_given ? e : &why);
	if (fd < 0 && g->root_given)
		return fd;
	n = fd < 0 ? 0 : scandirat(fd, ".", &all, NULL, alphasort);
	if (x.format)
		buf_puts(&b, "[");
	else if (!x.quiet)
		buf_printf(&b, "%-20s %-11s %-11s %-24s %-30s %s\n", "ID", "PID", "STATUS",
			   "BUNDLE", "CREATED", "OWNER");
	for (int i = 0; i < n; i++) {
		auto_known struct known k = KNOWN_INIT;
		auto_free struct dirent *de = all[i];

		if (de->d_name[0] == '.' ||
		    ocistate_load(fd, de->d_name, &k.dir, &k.s, &k.a, NULL) < 0)
			continue;
		list_one(&x, &k, first, &b);
		first = false;
	}
	free(all);
	if (x.format)
		buf_puts(&b, "]\n");
	fd_write_all(1, b.p, b.len);
	return 0;
}

/* ---- ps ---- */

struct ps_args {
	int format;
};
const struct opt ocictl_ps_opts[] = {
    OPT(struct ps_args, format, .name = "format", .letter = 'f', .type = OPT_ENUM, .arg = "FORMAT",
	.values = list_formats, .help = "table or json"),
    OPT_END,
};

static bool among(long pid, const pid_t *pids, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Does the column-th word of this line exist, and which number is it?  -1: no. */
static long word_number(const char *line, int column)
{
	for (int at = 0; *line; at++) {
		line += strspn(line, " \t");
		if (at == column)
			return strtol(line, NULL, 10);
		line += strcspn(line, " \t");
	}
	return -1;
}

static int pid_column(const char *heading)
{
	for (int at = 0; *heading; at++) {
		size_t n;

		heading += strspn(heading, " \t");
		n = strcspn(heading, " \t");
		if (n == 3 && strncmp(heading, "PID", 3) == 0)
			return at;
		heading += n;
	}
	return -1;
}

/* ps(1) of the host, its whole output. */
static int run_ps(int argc, char **argv, char **text, struct err *e)
{
	const char **args = calloc((size_t)argc + 3, sizeof(*args));
	struct child_fd fds[] = {{-1, 0}, {-1, 1}};
	struct child_opts o = {.path = "/bin/ps", .fds = fds, .nfds = 2, .env = child_environ()};
	int pair[2], status = 0;
	ssize_t n = -1;
	pid_t pid;

	if (!args || pipe2(pair, O_CLOEXEC) < 0) {
		free(args);
		return err_sys(e, "pipe");
	}
	args[0] = "ps";
	for (int i = 0; i < argc; i++)
		args[1 + i] = argv[i];
	if (!argc)
		args[1] = "-ef";
	o.argv = args;
	fds[1].from = pair[1];
	pid = child_start(&o);
	close(pair[1]);
	if (pid > 0) {
		n = fd_slurp(pair[0], 16u << 20, text);
		child_wait(pid, &status);
	}
	close(pair[0]);
	free(args);
	if (pid < 0) {
		errno = -pid;
		return err_sys(e, "run ps");
	}
	return n < 0 || status ? err_set(e, ERR_SYSTEM, "ps failed") : 0;
}

/* The lines of ps(1) whose PID column is one of ours, with its heading. */
static int ps_table(const pid_t *pids, ssize_t n, int argc, char **argv, struct err *e)
{
	auto_free char *text = NULL;
	char *save = NULL, *line;
	int column, r = run_ps(argc, argv, &text, e);

	if (r < 0)
		return r;
	line = strtok_r(text, "\n", &save);
	column = line ? pid_column(line) : -1;
	if (column < 0)
		return err_set(e, ERR_UNSUPPORTED, "couldn't find PID field in ps output");
	for (; line; line = strtok_r(NULL, "\n", &save))
		if (column >= 0 &&
		    (word_number(line, column) <= 0 || among(word_number(line, column), pids, n)))
			printf("%s\n", line);
	return 0;
}

int ocictl_ps(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	auto_known struct known k = KNOWN_INIT;
	auto_cgroup struct cgroup *cg = NULL;
	auto_free pid_t *pids = NULL;
	struct ps_args x = {0};
	ssize_t n;
	int r, i = opt_parse(ocictl_ps_opts, argc, argv, OPT_FIRST, &x, e);

	if (i < 0)
		return i;
	if (i == argc)
		return err_set(e, ERR_USAGE, "\"ps\" requires a container id");
	r = known_open(&k, g, argv[i], e);
	if (r == 0 && k.s.vm)
		r = err_set(e, ERR_UNSUPPORTED,
			    "ps: the processes of a virtual machine are known to its own kernel "
			    "only; `exec %s ps` shows them",
			    argv[i]);
	if (r == 0)
		r = cgroup_of(&k, &cg, e);
	if (r < 0)
		return r;
	n = cgroup_pids(cg, &pids, e);
	if (n < 0)
		return (int)n;
	if (!x.format)
		return ps_table(pids, n, argc - i - 1, argv + i + 1, e);
	printf("[");
	for (ssize_t p = 0; p < n; p++)
		printf("%s%d", p ? "," : "", (int)pids[p]);
	printf("]\n");
	return 0;
}

/* ---- pause, resume ---- */

static int freeze(const struct ocicmd_globals *g, int argc, char **argv, bool frozen, struct err *e)
{
	auto_known struct known k = KNOWN_INIT;
	auto_cgroup struct cgroup *cg = NULL;
	const char *id;
	enum ocistate_status now;
	int r = one_id(no_opts, argc, argv, NULL, &id, e);

	if (r == 0)
		r = known_open(&k, g, id, e);
	if (r < 0)
		return r;
	now = ocistate_now(k.dir, &k.s);
	if (now == OCISTATE_STOPPED ||
	    (frozen && now != OCISTATE_RUNNING && now != OCISTATE_CREATED))
		return err_set(e, ERR_CONFLICT, "container not running: %s", ocistate_names[now]);
	if (!frozen && now != OCISTATE_PAUSED)
		return err_set(e, ERR_CONFLICT, "container not paused");
	r = cgroup_of(&k, &cg, e);
	return r < 0 ? r : cgroup_freeze(cg, frozen, e);
}

int ocictl_pause(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	return freeze(g, argc, argv, true, e);
}

int ocictl_resume(const struct ocicmd_globals *g, int argc, char **argv, struct err *e)
{
	return freeze(g, argc, argv, false, e);
}
