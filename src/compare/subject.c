/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subject - who is compared: the command line each is started by, and what has to be there before.
 *
 * Ours, docker and podman share one language (run, rm, port), so that one function makes all their
 * command lines; the host, crun and plain QEMU have theirs.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "compare/family.h"
#include "compare/sample.h"
#include "engine/session.h"
#include "fmt/passwd.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NONE ((struct strs){0})

void subject_add(struct compare *c, struct strs *v, const char *const *words)
{
	for (; *words; words++)
		arena_strs_add(c->arena, v, *words);
}

struct strs subject_up(struct compare *c, enum report_subject s)
{
	struct strs v = NONE;
	const struct strs *up = &c->subjects[s].up;

	for (size_t i = 0; i < up->n; i++)
		arena_strs_add(c->arena, &v, up->v[i]);
	return v;
}

const char *subject_words(struct compare *c, const struct strs *v)
{
	auto_buf struct buf b = BUF_INIT(65536);

	for (size_t i = 0; i < v->n; i++)
		buf_printf(&b, "%s%s", i ? " " : "", v->v[i]);
	return arena_dup(c->arena, b.len ? b.p : "");
}

/* ---- who there is ---- */

static const char *left_out(const struct compare *c, enum report_subject s)
{
	if (c->q->skip[s])
		return "left out";
	if (s == REPORT_CONTAINER && geteuid() != 0)
		return "an ordinary user's containers are rootless";
	if (s == REPORT_ROOTLESS && geteuid() == 0 && !c->q->user)
		return "root measures them as an ordinary user: say --user NAME";
	return NULL;
}

static void ours(struct compare *c, enum report_subject s)
{
	struct subject *u = &c->subjects[s];
	const char *words[] = {c->s->self,   "--root",	     c->s->root,
			       "--run-root", c->s->run_root, NULL};

	u->kind = SUBJECT_OURS;
	u->root = c->s->root;
	subject_add(c, &u->up, words);
}

void subject_init(struct compare *c)
{
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		struct subject *u = &c->subjects[s];
		const char *why = left_out(c, (enum report_subject)s);

		u->name =
		    arena_printf(c->arena, "compare-%08x-%s", c->salt, report_subject_names[s]);
		c->report->who[s].listed = s < REPORT_DOCKER || c->q->with[s];
		u->env = c->env;
		u->trace = c->trace;
		u->off = !c->report->who[s].listed || why;
		u->tried = !u->off;
		if (c->report->who[s].listed && why)
			report_absent(c->report, (enum report_subject)s, why);
		switch ((enum report_subject)s) {
		case REPORT_HOST:
			u->kind = SUBJECT_HOST;
			break;
		case REPORT_QEMU:
			u->kind = SUBJECT_QEMU;
			break;
		case REPORT_DOCKER:
		case REPORT_PODMAN:
			u->kind = SUBJECT_PEER;
			break;
		case REPORT_CRUN:
			u->kind = SUBJECT_CRUN;
			break;
		case REPORT_CONTAINER:
		case REPORT_VM:
		case REPORT_ROOTLESS:
		case REPORT_COLD:
		case REPORT_POD:
		case REPORT_SUBJECT_MAX_:
			ours(c, (enum report_subject)s);
			break;
		}
	}
}

/* ---- before it runs ---- */

static int account(struct compare *c, struct passwd_user *out, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, "/etc/passwd", 1 << 20, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "/etc/passwd");
	}
	if (!passwd_find_user(text, c->q->user, 0, out))
		return err_set(e, ERR_NOT_FOUND, "--user: there is no user '%s'", c->q->user);
	if (out->uid == 0)
		return err_set(e, ERR_USAGE, "--user: '%s' is root", c->q->user);
	return 0;
}

/* A directory of his, and what his commands find in their environment. */
static int user_home(struct compare *c, const struct passwd_user *p, struct err *e)
{
	struct subject *u = &c->subjects[REPORT_ROOTLESS];
	char *dir = arena_dup(c->arena, "/var/tmp/caisson-compare-XXXXXX");
	struct strs env = NONE;
	int fd;

	if (!mkdtemp(dir))
		return err_sys(e, "'%s'", dir);
	c->user_dir = dir;
	c->uid = p->uid;
	u->trace = arena_printf(c->arena, "%s/trace", dir);
	fd = open(u->trace, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fchown(fd, p->uid, p->gid) < 0 || chown(dir, p->uid, p->gid) < 0)
		return err_sys(e, "'%s'", u->trace);
	close(fd);
	for (char **v = c->s->environment; v && *v; v++)
		if (!str_after(*v, "CAISSON_TRACE=") && !str_after(*v, "HOME=") &&
		    !str_after(*v, "XDG_"))
			arena_strs_add(c->arena, &env, *v);
	arena_strs_add(c->arena, &env, arena_printf(c->arena, "HOME=%s", dir));
	arena_strs_add(c->arena, &env, arena_printf(c->arena, "XDG_RUNTIME_DIR=%s", dir));
	arena_strs_add(c->arena, &env, arena_printf(c->arena, "CAISSON_TRACE=%s", u->trace));
	u->env = env.v;
	return 0;
}

static int copy(const char *from, const char *to, struct err *e)
{
	auto_fd int in = open(from, O_RDONLY | O_CLOEXEC);
	auto_fd int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t n = in < 0 || out < 0 ? -errno : fd_copy(in, out);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", to);
	}
	return fchmod(out, 0644) < 0 ? err_sys(e, "'%s'", to) : 0;
}

/* Root measures the containers of an ordinary user: a store of his own, outside of ours, which he
 * may not look into. */
static int rootless(struct compare *c, struct err *e)
{
	struct subject *u = &c->subjects[REPORT_ROOTLESS];
	const char *load[] = {"load", "-q", "-i", NULL, NULL}, *words[10];
	struct passwd_user p = {0};
	char setpriv[256];
	struct strs v;
	int r = account(c, &p, e);

	if (r < 0)
		return r;
	if (child_find("setpriv", "/usr/bin:/bin", setpriv, sizeof(setpriv)) < 0)
		return err_set(e, ERR_UNSUPPORTED, "setpriv (util-linux) is not installed");
	r = user_home(c, &p, e);
	if (r < 0)
		return r;
	u->root = arena_printf(c->arena, "%s/root", c->user_dir);
	words[0] = arena_dup(c->arena, setpriv);
	words[1] = arena_printf(c->arena, "--reuid=%u", p.uid);
	words[2] = arena_printf(c->arena, "--regid=%u", p.gid);
	words[3] = "--clear-groups";
	words[4] = c->s->self;
	words[5] = "--root";
	words[6] = u->root;
	words[7] = "--run-root";
	words[8] = arena_printf(c->arena, "%s/run", c->user_dir);
	words[9] = NULL;
	u->up = NONE;
	subject_add(c, &u->up, words);
	load[3] = arena_printf(c->arena, "%s/image", c->user_dir);
	r = copy(c->archive, load[3], e);
	v = subject_up(c, REPORT_ROOTLESS);
	subject_add(c, &v, load);
	return r < 0 ? r : compare_call(c, &v, NULL, e);
}

/* The image, for stores that are not ours. */
static int archive(struct compare *c, struct err *e)
{
	struct strs v = subject_up(c, REPORT_CONTAINER);
	const char *words[] = {"save", "-o", NULL, c->image, NULL};
	int r;

	if (c->archive)
		return 0;
	words[2] = arena_printf(c->arena, "%s/image.tar", c->dir);
	subject_add(c, &v, words);
	r = compare_call(c, &v, NULL, e);
	if (r == 0)
		c->archive = words[2];
	return r;
}

static int prepare(struct compare *c, enum report_subject s, struct err *e)
{
	static const char *const container[] = {"--isolation=container", NULL};
	static const char *const vm[] = {"--isolation=vm", NULL};
	static const char *const cold[] = {"--isolation=vm", "--vm-template=off", NULL};
	struct subject *u = &c->subjects[s];
	int r;

	u->image = c->image;
	switch (s) {
	case REPORT_HOST:
	case REPORT_SUBJECT_MAX_:
		return 0;
	case REPORT_ROOTLESS:
		subject_add(c, &u->flags, container);
		if (geteuid() != 0)
			return 0;
		r = archive(c, e);
		return r < 0 ? r : rootless(c, e);
	case REPORT_CONTAINER:
		subject_add(c, &u->flags, container);
		return 0;
	case REPORT_VM:
		subject_add(c, &u->flags, vm);
		return 0;
	case REPORT_COLD:
		subject_add(c, &u->flags, cold);
		return 0;
	case REPORT_POD:
		arena_strs_add(c->arena, &u->flags, "--pod");
		arena_strs_add(c->arena, &u->flags, arena_printf(c->arena, "%s-m", u->name));
		return 0;
	case REPORT_QEMU:
		return bareqemu_prepare(c, e);
	case REPORT_DOCKER:
	case REPORT_PODMAN:
	case REPORT_CRUN:
		r = archive(c, e);
		return r < 0 ? r : peer_prepare(c, s, e);
	}
	return 0;
}

void subject_prepare(struct compare *c, enum report_subject s)
{
	struct err e = ERR_INIT;
	struct strs v;

	if (prepare(c, s, &e) < 0) {
		c->subjects[s].off = true;
		report_absent(c->report, s, e.msg);
		return;
	}
	v = subject_command(c, s, &e);
	if (!v.n)
		v = subject_work(c, s, &e);
	c->report->who[s].command = subject_words(c, &v);
}

int subject_enter(struct compare *c, enum report_subject s, struct err *e)
{
	struct subject *u = &c->subjects[s];
	const char *create[] = {"pod", "create", "--isolation=vm", "--name", NULL, NULL,
				NULL,  NULL};
	const char *start[] = {"pod", "start", NULL, NULL};
	const char *first[] = {"run",	       "--rm",	 "--pod", NULL, "--entrypoint",
			       COMPARE_INSIDE, u->image, "true",  NULL};
	struct strs v = subject_up(c, s);
	int r;

	if (s != REPORT_POD)
		return 0;
	create[4] = start[2] = first[3] = u->flags.v[1];
	if (u->port) {
		create[5] = "-p";
		create[6] = arena_printf(c->arena, "127.0.0.1:%u:%d", u->port, COMPARE_PORT);
	}
	subject_add(c, &v, create);
	r = compare_call(c, &v, NULL, e);
	v = subject_up(c, s);
	subject_add(c, &v, start);
	if (r == 0)
		r = compare_call(c, &v, NULL, e);
	/* The first container of a machine brings the image's files into it. */
	v = subject_up(c, s);
	subject_add(c, &v, first);
	return r < 0 ? r : compare_call(c, &v, NULL, e);
}

void subject_leave(struct compare *c, enum report_subject s)
{
	const char *words[] = {"pod", "rm", "-f", NULL, NULL};
	struct strs v = subject_up(c, s);

	if (s != REPORT_POD || !c->subjects[s].flags.n)
		return;
	words[3] = c->subjects[s].flags.v[1];
	subject_add(c, &v, words);
	compare_call(c, &v, NULL, NULL);
	compare_reap();
}

/* ---- command lines ---- */

/* Where the host would find a command. */
static const char *on_host(struct compare *c, const char *name)
{
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char full[4096];

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? name : NULL;
	for (char **v = c->s->environment; v && *v; v++)
		if (str_after(*v, "PATH="))
			path = *v + 5;
	return child_find(name, path, full, sizeof(full)) < 0 ? NULL : arena_dup(c->arena, full);
}

static struct strs run_words(struct compare *c, enum report_subject s)
{
	struct strs v = subject_up(c, s);
	const struct subject *u = &c->subjects[s];
	const char *words[] = {"run", "--rm", "--name", u->name, NULL};

	subject_add(c, &v, words);
	subject_add(c, &v, u->flags.n ? u->flags.v : (const char *const[]){NULL});
	return v;
}

static struct strs host_command(struct compare *c, struct err *e)
{
	const struct strs *cmd = &c->q->command;
	const char *name = cmd->n ? cmd->v[0] : "uname", *path = on_host(c, name);
	struct strs v = NONE;

	if (!path) {
		err_set(e, ERR_NOT_FOUND, "the host has no command '%s'", name);
		return v;
	}
	arena_strs_add(c->arena, &v, path);
	if (!cmd->n)
		arena_strs_add(c->arena, &v, "-r");
	for (size_t i = 1; i < cmd->n; i++)
		arena_strs_add(c->arena, &v, cmd->v[i]);
	return v;
}

struct strs subject_command(struct compare *c, enum report_subject s, struct err *e)
{
	static const char *const uname_words[] = {"uname", "-r", NULL};
	const struct strs *cmd = &c->q->command;
	struct strs v = NONE;

	switch (c->subjects[s].kind) {
	case SUBJECT_HOST:
		return host_command(c, e);
	case SUBJECT_QEMU:
		if (!cmd->n)
			return bareqemu_argv(c, "once");
		err_set(e, ERR_UNSUPPORTED, "plain QEMU has no image with commands in it");
		return v;
	case SUBJECT_CRUN:
		if (!cmd->n)
			subject_add(c, &v, uname_words);
		return peer_crun(c, c->subjects[s].name, cmd->n ? cmd : &v, false, e);
	case SUBJECT_OURS:
	case SUBJECT_PEER:
		break;
	}
	v = run_words(c, s);
	if (!cmd->n) {
		arena_strs_add(c->arena, &v, "--entrypoint");
		arena_strs_add(c->arena, &v, "uname");
	}
	arena_strs_add(c->arena, &v, c->subjects[s].image);
	if (!cmd->n)
		arena_strs_add(c->arena, &v, "-r");
	for (size_t i = 0; i < cmd->n; i++)
		arena_strs_add(c->arena, &v, cmd->v[i]);
	return v;
}

static void entry(struct compare *c, struct strs *v, enum report_subject s, const char *word)
{
	const char *words[] = {"--user", "0", "--entrypoint", COMPARE_INSIDE, c->subjects[s].image,
			       word,	 NULL};

	subject_add(c, v, words);
}

struct strs subject_work(struct compare *c, enum report_subject s, struct err *e)
{
	static const char *const inside[] = {COMPARE_INSIDE, "/", NULL};
	struct subject *u = &c->subjects[s];
	struct strs v = NONE;

	switch (u->kind) {
	case SUBJECT_HOST:
		arena_strs_add(c->arena, &v, c->workload);
		arena_strs_add(c->arena, &v, arena_printf(c->arena, "%s/io", c->dir));
		return v;
	case SUBJECT_QEMU:
		return bareqemu_argv(c, "live");
	case SUBJECT_CRUN:
		subject_add(c, &v, inside);
		return peer_crun(c, u->name, &v, false, e);
	case SUBJECT_OURS:
	case SUBJECT_PEER:
		break;
	}
	v = run_words(c, s);
	arena_strs_add(c->arena, &v, "-i");
	if (u->port && s != REPORT_POD) {
		arena_strs_add(c->arena, &v, "-p");
		arena_strs_add(c->arena, &v,
			       arena_printf(c->arena, "127.0.0.1:%u:%d", u->port, COMPARE_PORT));
	}
	entry(c, &v, s, "/");
	return v;
}

struct strs subject_idle(struct compare *c, enum report_subject s, const char *name, struct err *e)
{
	static const char *const inside[] = {COMPARE_INSIDE, "idle", NULL};
	const char *words[] = {"run", "-d", "--name", name, NULL};
	const struct subject *u = &c->subjects[s];
	struct strs v = NONE;

	switch (u->kind) {
	case SUBJECT_HOST:
		arena_strs_add(c->arena, &v, c->workload);
		arena_strs_add(c->arena, &v, "idle");
		return v;
	case SUBJECT_QEMU:
		return bareqemu_argv(c, "live");
	case SUBJECT_CRUN:
		subject_add(c, &v, inside);
		return peer_crun(c, name, &v, true, e);
	case SUBJECT_OURS:
	case SUBJECT_PEER:
		break;
	}
	v = subject_up(c, s);
	subject_add(c, &v, words);
	subject_add(c, &v, u->flags.n ? u->flags.v : (const char *const[]){NULL});
	entry(c, &v, s, "idle");
	return v;
}

struct strs subject_remove(struct compare *c, enum report_subject s, const struct strs *names)
{
	struct strs v = subject_up(c, s);

	arena_strs_add(c->arena, &v, c->subjects[s].kind == SUBJECT_CRUN ? "delete" : "rm");
	arena_strs_add(c->arena, &v, "-f");
	for (size_t i = 0; i < names->n; i++)
		arena_strs_add(c->arena, &v, names->v[i]);
	return v;
}

/* ---- while it runs, and after ---- */

int subject_family(struct compare *c, enum report_subject s, pid_t client, struct family *out,
		   struct err *e)
{
	if (s == REPORT_DOCKER)
		return peer_family(c, s, out, e);
	/* A host process, and plain QEMU, are the child itself. */
	if (client > 0 &&
	    (c->subjects[s].kind == SUBJECT_HOST || c->subjects[s].kind == SUBJECT_QEMU)) {
		*out = (struct family){0};
		return family_add(client, out, e);
	}
	/* What keeps an ordinary user's namespaces stays for a while, and is nobody else's. */
	return family_measure(getpid(), client,
			      c->user_dir && s != REPORT_ROOTLESS ? c->uid : FAMILY_NOBODY, out, e);
}

/* An instance outlives its client by some milliseconds of --rm. */
void subject_settle(struct compare *c, enum report_subject s)
{
	const struct timespec tick = {.tv_nsec = 5000000};
	const int64_t deadline = trace_now_ns() + 10000000000;
	const struct subject *u = &c->subjects[s];
	struct stat st;

	if (u->kind == SUBJECT_OURS) {
		const char *path = arena_printf(c->arena, "%s/names/%s", u->root, u->name);

		while (lstat(path, &st) == 0 && trace_now_ns() < deadline) {
			nanosleep(&tick, NULL);
			compare_reap();
		}
	}
	compare_reap();
}

static void sweep_ours(struct compare *c, enum report_subject s)
{
	const struct subject *u = &c->subjects[s];
	struct strs names = NONE, v;
	struct stat st;

	arena_strs_add(c->arena, &names, u->name);
	if (lstat(arena_printf(c->arena, "%s/names/%s", u->root, u->name), &st) == 0) {
		v = subject_remove(c, s, &names);
		compare_call(c, &v, NULL, NULL);
	}
	if (s == REPORT_POD &&
	    lstat(arena_printf(c->arena, "%s/names/%s-m", u->root, u->name), &st) == 0)
		subject_leave(c, s);
}

void subject_sweep(struct compare *c)
{
	const char *words[] = {"rmi", c->image, NULL};
	struct strs v = subject_up(c, REPORT_CONTAINER);

	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		if (!c->report->who[s].listed || c->q->skip[s])
			continue;
		if (c->subjects[s].kind == SUBJECT_OURS)
			sweep_ours(c, (enum report_subject)s);
		if (c->subjects[s].kind == SUBJECT_PEER || c->subjects[s].kind == SUBJECT_CRUN)
			peer_sweep(c, (enum report_subject)s);
	}
	if (c->image) {
		subject_add(c, &v, words);
		compare_call(c, &v, NULL, NULL);
	}
	if (c->user_dir) {
		/* What holds his namespaces waits ten seconds for more; there is no more. */
		family_end(getpid(), c->uid);
		path_remove(AT_FDCWD, c->user_dir);
	}
	compare_reap();
}
