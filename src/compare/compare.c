/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/compare.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/family.h"
#include "compare/footprint.h"
#include "compare/live.h"
#include "compare/phases.h"
#include "compare/reach.h"
#include "compare/sample.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define START_NS    180000000000 /* a VM without hardware help on a busy machine */
#define INSIDE	    "/.caisson-compare"
#define WORKLOAD    "caisson-workload"
#define CPU_ROUNDS  "cpu 30000000"
#define SYSCALLS    "syscalls 200000"
#define FILES	    "files 33554432 200"
#define SETTLE_MSEC 200 /* between "ready" and the look at memory at rest */

/* Set by SIGINT: what was measured until then is the report. */
static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
	interrupted = 1;
}

struct compare {
	struct session *s;
	const struct compare_request *q;
	struct arena *arena;
	struct report *report;
	const char *dir; /* ours below the root: bin/ is bound into instances, io/ is the host's */
	const char *trace;	/* file in it */
	const char *const *env; /* the caller's, with CAISSON_TRACE */
	const char *name[REPORT_SUBJECT_MAX_];
	bool off[REPORT_SUBJECT_MAX_];
	bool counting; /* false in the warm-up round */
};

/* ---- command lines ---- */

static struct strs engine_argv(struct compare *c, const char *verb)
{
	struct strs v = {0};

	arena_strs_add(c->arena, &v, c->s->self);
	arena_strs_add(c->arena, &v, "--root");
	arena_strs_add(c->arena, &v, c->s->root);
	arena_strs_add(c->arena, &v, "--run-root");
	arena_strs_add(c->arena, &v, c->s->run_root);
	arena_strs_add(c->arena, &v, verb);
	return v;
}

static void add(struct compare *c, struct strs *v, const char *const *words)
{
	for (; *words; words++)
		arena_strs_add(c->arena, v, *words);
}

static struct strs run_argv(struct compare *c, enum report_subject s)
{
	struct strs v = engine_argv(c, "run");

	arena_strs_add(c->arena, &v, "--rm");
	arena_strs_add(c->arena, &v, s == REPORT_VM ? "--isolation=vm" : "--isolation=container");
	arena_strs_add(c->arena, &v, "--name");
	arena_strs_add(c->arena, &v, c->name[s]);
	return v;
}

/* Where the host would find a command; NULL when it has none. */
static const char *on_host(struct compare *c, const char *name)
{
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? name : NULL;
	for (char **v = c->s->environment; v && *v; v++)
		if (str_after(*v, "PATH="))
			path = *v + 5;
	while (*path) {
		size_t n = strcspn(path, ":");
		const char *full = arena_printf(c->arena, "%.*s/%s", (int)n, path, name);

		if (n && access(full, X_OK) == 0)
			return full;
		path += n + (path[n] == ':');
	}
	return NULL;
}

/* NULL argv[0] when the host does not have the command. */
static struct strs command_argv(struct compare *c, enum report_subject s)
{
	static const char *const uname_inside[] = {"--entrypoint", "uname", NULL};
	const struct strs *cmd = &c->q->command;
	struct strs v = {0};

	if (s == REPORT_HOST) {
		arena_strs_add(c->arena, &v, on_host(c, cmd->n ? cmd->v[0] : "uname"));
		if (!cmd->n)
			arena_strs_add(c->arena, &v, "-r");
		for (size_t i = 1; i < cmd->n; i++)
			arena_strs_add(c->arena, &v, cmd->v[i]);
		return v;
	}
	v = run_argv(c, s);
	if (!cmd->n)
		add(c, &v, uname_inside);
	arena_strs_add(c->arena, &v, c->q->image);
	if (!cmd->n)
		arena_strs_add(c->arena, &v, "-r");
	for (size_t i = 0; i < cmd->n; i++)
		arena_strs_add(c->arena, &v, cmd->v[i]);
	return v;
}

static struct strs workload_argv(struct compare *c, enum report_subject s)
{
	struct strs v = {0};

	if (s == REPORT_HOST) {
		arena_strs_add(c->arena, &v, arena_printf(c->arena, "%s/bin/" WORKLOAD, c->dir));
		arena_strs_add(c->arena, &v, arena_printf(c->arena, "%s/io", c->dir));
		return v;
	}
	v = run_argv(c, s);
	arena_strs_add(c->arena, &v, "-i");
	arena_strs_add(c->arena, &v, "-v");
	arena_strs_add(c->arena, &v, arena_printf(c->arena, "%s/bin:" INSIDE ":ro", c->dir));
	arena_strs_add(c->arena, &v, "--entrypoint");
	arena_strs_add(c->arena, &v, INSIDE "/" WORKLOAD);
	arena_strs_add(c->arena, &v, c->q->image);
	arena_strs_add(c->arena, &v, "/");
	return v;
}

/* ---- one subject ---- */

static void missing(struct compare *c, enum report_row row, enum report_subject s,
		    const struct err *e)
{
	report_missing(c->report, row, s, e->msg);
}

/* The last line a command wrote to stderr. */
static void complain(const struct sample *m, struct err *e)
{
	size_t n = strlen(m->err);
	const char *last = m->err;

	while (n && m->err[n - 1] == '\n')
		n--;
	for (size_t i = 0; i + 1 < n; i++)
		if (m->err[i] == '\n')
			last = m->err + i + 1;
	if (str_after(last, "caisson: "))
		last += 9;
	err_set(e, ERR_SYSTEM, "exit code %d%s%.*s", m->code, n ? ": " : "",
		(int)(n - (size_t)(last - m->err)), last);
}

static void command_once(struct compare *c, enum report_subject s, struct err *e)
{
	struct strs v = command_argv(c, s);
	struct sample m;
	int r;

	if (!v.v[0]) {
		err_set(e, ERR_NOT_FOUND, "the host has no command '%s'",
			c->q->command.n ? c->q->command.v[0] : "uname");
		missing(c, REPORT_FIRST, s, e);
		missing(c, REPORT_TOTAL, s, e);
		return;
	}
	if (truncate(c->trace, 0) < 0) {
		err_sys(e, "'%s'", c->trace);
		return;
	}
	r = sample_run(v.v, c->env, START_NS, &m, e);
	if (r == 0 && m.code) {
		complain(&m, e);
		r = -EIO;
	}
	if (r < 0) {
		missing(c, REPORT_FIRST, s, e);
		missing(c, REPORT_TOTAL, s, e);
		return;
	}
	if (!c->counting)
		return;
	report_add(c->report, REPORT_TOTAL, s, (double)m.total_ns);
	if (m.first_ns >= 0)
		report_add(c->report, REPORT_FIRST, s, (double)m.first_ns);
	else
		report_missing(c->report, REPORT_FIRST, s, "the command writes nothing");
	if (s != REPORT_HOST)
		phases_collect(c->report, s, c->trace);
}

static void rest(struct compare *c, enum report_subject s, const struct live *l, struct family *t)
{
	const struct timespec settle = {.tv_nsec = SETTLE_MSEC * 1000000};
	struct err e = ERR_INIT;
	uint64_t bytes;

	nanosleep(&settle, NULL);
	/* The client is there only while somebody looks; a host process is the child itself. */
	if (family_measure(getpid(), s == REPORT_HOST ? 0 : l->pid, t, &e) < 0) {
		missing(c, REPORT_MEMORY, s, &e);
		missing(c, REPORT_ENGINE, s, &e);
		return;
	}
	if (!c->counting)
		return;
	report_add(c->report, REPORT_MEMORY, s, (double)t->pss_bytes);
	if (s == REPORT_HOST)
		report_text(c->report, REPORT_ENGINE, s, "none");
	else
		report_add(c->report, REPORT_ENGINE, s, (double)t->engine_pss_bytes);
	if (s == REPORT_HOST)
		return;
	if (footprint_cgroup(t->qemu ? t->qemu : t->inside ? t->inside : l->pid, &bytes, &e) == 0)
		report_add(c->report, REPORT_CGROUP, s, (double)bytes);
	else
		missing(c, REPORT_CGROUP, s, &e);
}

static void timed(struct compare *c, enum report_subject s, struct live *l, enum report_row row,
		  const char *command)
{
	struct err e = ERR_INIT;
	int64_t ns;

	if (live_time(l, command, START_NS, &ns, &e) < 0)
		missing(c, row, s, &e);
	else if (c->counting)
		report_add(c->report, row, s, (double)ns);
}

static void reached(struct compare *c, enum report_subject s, pid_t pid)
{
	struct err e = ERR_INIT;
	struct reach r;

	if (!pid)
		report_missing(c->report, REPORT_REACH, s, "its process was not found");
	else if (reach_of(pid, &r, &e) < 0)
		missing(c, REPORT_REACH, s, &e);
	else {
		report_add(c->report, REPORT_REACH, s, (double)r.allowed);
		report_text(c->report, REPORT_REACH, s,
			    arena_printf(c->arena, "%u of %u", r.allowed, r.known));
	}
}

/* ---- what the engine says ---- */

/* Run one of our own commands and parse what it prints. */
static int ask(struct compare *c, const struct strs *argv, struct json **out, struct err *e)
{
	const char *file = arena_printf(c->arena, "%s/answer", c->dir);
	auto_fd int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	auto_free char *text = NULL;
	const struct child_fd fds[] = {{fd, 1}, {-1, 2}};
	int status = 0;
	pid_t pid;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "'%s'", file);
	pid = child_start(&(struct child_opts){
	    .path = argv->v[0], .argv = argv->v, .env = c->env, .fds = fds, .nfds = 2});
	if (pid < 0 || child_wait(pid, &status) < 0 || status)
		return err_set(e, ERR_SYSTEM, "caisson %s failed", argv->v[5]);
	n = file_read(AT_FDCWD, file, 4 << 20, &text);
	return n < 0 ? err_set(e, ERR_SYSTEM, "caisson %s said nothing", argv->v[5])
		     : json_parse(text, (size_t)n, argv->v[5], out, e);
}

/* root/names/NAME is a link whose text is the id (store/instance.h). */
static int instance_dir(struct compare *c, enum report_subject s, const char **dir, struct err *e)
{
	char id[NAME_MAX + 1], path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/names/%s", c->s->root, c->name[s]);
	n = readlink(path, id, sizeof(id) - 1);
	if (n < 0)
		return err_sys(e, "'%s'", path);
	id[n] = '\0';
	*dir = arena_printf(c->arena, "%s/instances/%s", c->s->root, id);
	return 0;
}

/* Layers are kept as files or as directories (store/layer.h). */
static int image_layers(struct compare *c, struct strs *out, struct err *e)
{
	struct strs v = engine_argv(c, "image");
	auto_json struct json *j = NULL;
	const struct json *list;
	int r;

	arena_strs_add(c->arena, &v, "inspect");
	arena_strs_add(c->arena, &v, c->q->image);
	r = ask(c, &v, &j, e);
	if (r < 0)
		return r;
	list = json_member(json_member(json_at(j, 0), "RootFS"), "Layers");
	for (size_t i = 0; i < json_length(list); i++) {
		const char *id = json_string(json_at(list, i)), *file;
		struct stat st;

		if (!id || !str_after(id, "sha256:"))
			return err_set(e, ERR_CORRUPT, "image inspect: a layer without a diff id");
		file = arena_printf(c->arena, "%s/layers/%s.erofs", c->s->root, id + 7);
		if (stat(file, &st) < 0)
			file = arena_printf(c->arena, "%s/layers/%s.dir", c->s->root, id + 7);
		arena_strs_add(c->arena, out, file);
	}
	return list ? 0 : err_set(e, ERR_CORRUPT, "image inspect: no layers");
}

/* The newest initramfs is the one this version boots. */
static const char *initramfs(struct compare *c)
{
	const char *dir = arena_printf(c->arena, "%s/cache/vm", c->s->root), *best = NULL;
	struct timespec newest = {0};
	DIR *d = opendir(dir);
	struct dirent *de;
	struct stat st;

	while (d && (de = readdir(d)))
		if (str_after(de->d_name, "initramfs-") &&
		    fstatat(dirfd(d), de->d_name, &st, 0) == 0 &&
		    st.st_mtim.tv_sec >= newest.tv_sec) {
			newest = st.st_mtim;
			best = arena_printf(c->arena, "%s/%s", dir, de->d_name);
		}
	if (d)
		closedir(d);
	return best;
}

/* A VM's shared files are those QEMU holds open, and what it was booted from. */
static int vm_files(struct compare *c, pid_t qemu, const char *own, const char *kernel,
		    struct strs *out, struct err *e)
{
	const char *initrd = initramfs(c);
	int r = qemu ? footprint_open_files(qemu, c->s->root, own, c->arena, out, e)
		     : err_set(e, ERR_NOT_FOUND, "QEMU was not found");

	if (r < 0)
		return r;
	arena_strs_add(c->arena, out,
		       arena_printf(c->arena, "%s/kernels/%s/vmlinux", c->s->data, kernel));
	if (!initrd)
		return err_set(e, ERR_NOT_FOUND, "no initramfs below '%s/cache/vm'", c->s->root);
	arena_strs_add(c->arena, out, initrd);
	return 0;
}

static void disk(struct compare *c, enum report_subject s, pid_t qemu, const char *kernel)
{
	struct strs own = {0}, shared = {0};
	struct err e = ERR_INIT;
	const char *dir = NULL;
	uint64_t bytes;
	int r = instance_dir(c, s, &dir, &e);

	if (r == 0) {
		arena_strs_add(c->arena, &own, dir);
		r = footprint_disk(&own, &bytes, &e);
	}
	if (r == 0)
		report_add(c->report, REPORT_OWN, s, (double)bytes);
	else
		missing(c, REPORT_OWN, s, &e);
	if (r == 0)
		r = s == REPORT_VM ? vm_files(c, qemu, dir, kernel, &shared, &e)
				   : image_layers(c, &shared, &e);
	if (r == 0)
		r = footprint_disk(&shared, &bytes, &e);
	if (r == 0)
		report_add(c->report, REPORT_SHARED, s, (double)bytes);
	else
		missing(c, REPORT_SHARED, s, &e);
}

static void accelerator(struct compare *c)
{
	struct strs v = engine_argv(c, "info");
	auto_json struct json *j = NULL;
	struct err e = ERR_INIT;
	const char *accel, *why;

	arena_strs_add(c->arena, &v, "--format=json");
	if (ask(c, &v, &j, &e) < 0) {
		missing(c, REPORT_ACCEL, REPORT_VM, &e);
		return;
	}
	accel = json_string(json_member(json_member(j, "vm"), "accel"));
	why = json_string(json_member(json_member(j, "vm"), "accelWhy"));
	if (!accel) {
		report_missing(c->report, REPORT_ACCEL, REPORT_VM, "caisson info does not say");
		return;
	}
	report_text(c->report, REPORT_ACCEL, REPORT_VM, accel);
	c->report->accel_why =
	    arena_printf(c->arena, "%s, because %s", accel, why ? why : "it was asked for");
}

/* What does not change from round to round, once, in the warm-up. */
static void facts(struct compare *c, enum report_subject s, struct live *l, const struct family *t)
{
	struct err e = ERR_INIT;
	char line[LIVE_TEXT] = "";

	if (live_ask(l, "kernel", START_NS, line, sizeof(line), &e) < 0)
		missing(c, REPORT_KERNEL, s, &e);
	else
		report_text(c->report, REPORT_KERNEL, s,
			    str_after(line, "kernel ") ? line + 7 : line);
	reached(c, s, s == REPORT_HOST ? l->pid : s == REPORT_VM ? t->qemu : t->inside);
	if (s == REPORT_HOST) {
		report_text(c->report, REPORT_SHARED, s, "none");
		report_text(c->report, REPORT_OWN, s, "none");
		report_text(c->report, REPORT_CGROUP, s, "none");
	} else {
		disk(c, s, t->qemu, str_after(line, "kernel ") ? line + 7 : "");
	}
	if (s == REPORT_VM)
		accelerator(c);
	else
		report_text(c->report, REPORT_ACCEL, s, "native");
}

static void workload_once(struct compare *c, enum report_subject s, struct err *e)
{
	struct strs v = workload_argv(c, s);
	struct live l = LIVE_INIT;
	struct family t = {0};

	if (live_open(&l, v.v, c->env, START_NS, e) < 0) {
		for (unsigned int row = 0; row < REPORT_PHASES; row++)
			if (row != REPORT_FIRST && row != REPORT_TOTAL)
				missing(c, row, s, e);
		return;
	}
	rest(c, s, &l, &t);
	if (!c->counting)
		facts(c, s, &l, &t);
	timed(c, s, &l, REPORT_CPU, CPU_ROUNDS);
	timed(c, s, &l, REPORT_SYSCALLS, SYSCALLS);
	timed(c, s, &l, REPORT_FILES, FILES);
	live_close(&l);
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* An instance outlives its client by some milliseconds of --rm; its name must be free for the next.
 */
static void settle(struct compare *c, enum report_subject s)
{
	const struct timespec tick = {.tv_nsec = 5000000};
	const int64_t deadline = trace_now_ns() + 10000000000;
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/names/%s", c->s->root, c->name[s]);
	while (lstat(path, &st) == 0 && trace_now_ns() < deadline) {
		nanosleep(&tick, NULL);
		reap();
	}
	reap();
}

static void subject_once(struct compare *c, enum report_subject s)
{
	struct err cmd = ERR_INIT, work = ERR_INIT;

	command_once(c, s, &cmd);
	settle(c, s);
	if (!interrupted)
		workload_once(c, s, &work);
	settle(c, s);
	/* A wall that fails twice before anything counts is not there. */
	if (!c->counting && !interrupted && s != REPORT_HOST && cmd.kind && work.kind)
		c->off[s] = true;
}

/* ---- rounds ---- */

static void one_round(struct compare *c)
{
	enum report_subject order[REPORT_SUBJECT_MAX_];
	unsigned int salt[REPORT_SUBJECT_MAX_] = {0};

	if (getrandom(salt, sizeof(salt), 0) != sizeof(salt))
		salt[0] = 0; /* order of the table then */
	for (unsigned int i = 0; i < REPORT_SUBJECT_MAX_; i++) {
		unsigned int j = salt[i] % (i + 1);

		order[i] = order[j];
		order[j] = (enum report_subject)i;
	}
	for (unsigned int i = 0; i < REPORT_SUBJECT_MAX_; i++)
		if (!c->off[order[i]] && !interrupted)
			subject_once(c, order[i]);
}

static void rounds(struct compare *c)
{
	const struct compare_request *q = c->q;
	int64_t start = trace_now_ns();

	if (q->progress)
		q->progress(0, q->samples, q->progress_arg);
	one_round(c);
	c->counting = true;
	for (uint64_t n = 1; n <= q->samples; n++) {
		if (interrupted || (n > 1 && trace_now_ns() - start > q->max_time_ns))
			return;
		if (q->progress)
			q->progress(n, q->samples, q->progress_arg);
		one_round(c);
		if (!interrupted)
			c->report->rounds = n;
	}
}

/* ---- before and after ---- */

static int copy_workload(struct compare *c, struct err *e)
{
	const char *from = arena_printf(c->arena, "%s/" WORKLOAD, c->s->libexec);
	const char *to = arena_printf(c->arena, "%s/bin/" WORKLOAD, c->dir);
	auto_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_fd int out = -1;
	ssize_t n;

	if (in < 0)
		return err_sys(e, "'%s'", from);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (out < 0)
		return err_sys(e, "'%s'", to);
	n = fd_copy(in, out);
	if (n < 0 || fchmod(out, 0755) < 0) {
		errno = n < 0 ? (int)-n : errno;
		return err_sys(e, "'%s'", to);
	}
	return 0;
}

static int make_dir(struct compare *c, struct err *e)
{
	char *dir = arena_printf(c->arena, "%s/compare-XXXXXX", c->s->root);
	auto_fd int trace = -1;

	if (!mkdtemp(dir))
		return err_sys(e, "'%s'", dir);
	c->dir = dir;
	c->trace = arena_printf(c->arena, "%s/trace", dir);
	trace = open(c->trace, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	/* Instances with users of their own look into bin/. */
	if (trace < 0 || chmod(dir, 0711) < 0 ||
	    mkdir(arena_printf(c->arena, "%s/bin", dir), 0755) < 0 ||
	    mkdir(arena_printf(c->arena, "%s/io", dir), 0700) < 0)
		return err_sys(e, "'%s'", dir);
	return copy_workload(c, e);
}

static void make_env(struct compare *c)
{
	struct strs env = {0};

	for (char **v = c->s->environment; v && *v; v++)
		if (!str_after(*v, "CAISSON_TRACE="))
			arena_strs_add(c->arena, &env, *v);
	arena_strs_add(c->arena, &env, arena_printf(c->arena, "CAISSON_TRACE=%s", c->trace));
	c->env = env.v;
}

static void describe(struct compare *c)
{
	auto_buf struct buf cmd = BUF_INIT(4096);
	struct utsname u;

	if (getloadavg(&c->report->load, 1) != 1)
		c->report->load = 0;
	for (size_t i = 0; i < c->q->command.n; i++)
		buf_printf(&cmd, "%s%s", i ? " " : "", c->q->command.v[i]);
	c->report->command = arena_dup(c->arena, cmd.len ? cmd.p : "uname -r");
	c->report->image = c->q->image;
	if (uname(&u) == 0)
		c->report->machine =
		    arena_printf(c->arena, "%ld cpus, %s %s", sysconf(_SC_NPROCESSORS_ONLN),
				 u.sysname, u.release);
	else
		c->report->machine = "unknown machine";
}

static void name_subjects(struct compare *c)
{
	unsigned int salt = 0;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		salt = (unsigned int)getpid();
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		c->name[s] =
		    arena_printf(c->arena, "compare-%08x-%s", salt, report_subject_names[s]);
		c->off[s] = c->q->skip[s];
		for (unsigned int row = 0; c->off[s] && row < REPORT_PHASES; row++)
			report_missing(c->report, row, (enum report_subject)s,
				       "left out with --skip");
	}
}

/* What a failed round may have left. */
static void sweep(struct compare *c)
{
	for (int s = REPORT_CONTAINER; s < REPORT_SUBJECT_MAX_; s++) {
		const char *link = arena_printf(c->arena, "%s/names/%s", c->s->root, c->name[s]);
		struct strs v = engine_argv(c, "rm");
		struct sample m;
		struct stat st;

		arena_strs_add(c->arena, &v, "-f");
		arena_strs_add(c->arena, &v, c->name[s]);
		if (lstat(link, &st) == 0)
			sample_run(v.v, c->env, START_NS, &m, NULL);
	}
	reap();
}

int compare_run(struct session *s, const struct compare_request *q, struct arena *a,
		struct report *out, struct err *e)
{
	struct compare c = {.s = s, .q = q, .arena = a, .report = out};
	const struct report_cell *cell = NULL;
	struct sigaction before;
	struct store *store;
	int r;

	*out = (struct report){.arena = a};
	r = session_store(s, &store, e);
	if (r < 0)
		return r;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(e, "become a subreaper");
	name_subjects(&c);
	describe(&c);
	r = make_dir(&c, e);
	if (r == 0) {
		make_env(&c);
		interrupted = 0;
		sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt}, &before);
		rounds(&c);
		sweep(&c);
		sigaction(SIGINT, &before, NULL);
		out->partial = interrupted;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	if (c.dir)
		path_remove(AT_FDCWD, c.dir);
	if (r == 0 && out->partial && !out->rounds)
		return err_set(e, ERR_CANCELED, "compare '%s': interrupted before a round was over",
			       q->image);
	if (r == 0 && c.off[REPORT_CONTAINER] && c.off[REPORT_VM]) {
		cell = &out->cells[REPORT_FIRST]
				  [q->skip[REPORT_CONTAINER] ? REPORT_VM : REPORT_CONTAINER];
		r = err_set(e, ERR_SYSTEM, "compare '%s': %s", q->image,
			    cell->why ? cell->why : "nothing ran");
	}
	return r;
}
