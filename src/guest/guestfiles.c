/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/guestfiles.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "files/filework.h"
#include "files/rootview.h"
#include "guest/guestroot.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct words {
	struct filework w;
};

static const struct opt opts[] = {FILEWORK_OPTS(struct words, w), OPT_END};

static int parse(const struct strs *l, struct arena *a, struct words *out, struct err *e)
{
	char **argv = arena_array(a, l->n + 2, sizeof(*argv));
	int n;

	argv[0] = arena_dup(a, "files");
	for (size_t i = 0; i < l->n; i++)
		argv[i + 1] = arena_dup(a, l->v[i]);
	n = opt_parse(opts, (int)l->n + 1, argv, OPT_FIRST, out, e);
	if (n >= 0 && (size_t)n != l->n + 1)
		n = err_set(e, ERR_USAGE, "request with operands");
	return n < 0 ? n : filework_check(&out->w, e);
}

static int open_place(const struct filework *w, pid_t init, struct filework_place *p, struct err *e)
{
	char path[64];
	int fd;

	if (w->changes || w->layer) {
		p->root = open(GUESTROOT_UPPER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		p->lower = open(GUESTROOT_IMAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return p->root < 0 || p->lower < 0 ? err_sys(e, "layers of the instance") : 0;
	}
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)init, w->export ? "ns/mnt" : "root");
	fd = open(path, w->export ? O_RDONLY | O_CLOEXEC : O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_CONFLICT, "the instance ends");
	p->root = w->export ? rootview_bare(fd, e) : fd;
	return p->root < 0 ? p->root : 0;
}

static int work(const struct filework *w, pid_t init, struct err *e)
{
	struct filework_place p = {.root = -1,
				   .lower = -1,
				   .data = w->put ? STDIN_FILENO : STDOUT_FILENO,
				   .answer = STDOUT_FILENO};
	int r = open_place(w, init, &p, e);

	return r < 0 ? r : filework_run(w, &p, e);
}

/* What the agent holds open is not ours: a pipe's other end would never close. */
static void take_stdio(const int child[3])
{
	for (int i = 0; i < 3; i++)
		if (child[i] >= 0)
			dup2(child[i], i);
	fd_close_from(3);
}

int guestfiles_child(int (*fn)(void *arg, struct err *e), void *arg, const int child[3],
		     struct launch *out, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	out->pid = fork();
	if (out->pid < 0)
		return err_sys(e, "fork");
	if (out->pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
		take_stdio(child);
		r = fn(arg, &why);
		if (r < 0)
			(void)!write(STDERR_FILENO, &why, sizeof(why));
		_exit(r < 0);
	}
	out->pidfd = (int)syscall(SYS_pidfd_open, out->pid, 0);
	return 0;
}

struct request {
	const struct filework *w;
	pid_t init;
};

static int do_request(void *arg, struct err *e)
{
	const struct request *q = arg;

	return work(q->w, q->init, e);
}

int guestfiles_start(pid_t init, const struct strs *l, const int child[3], struct launch *out,
		     struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct words words = {0};
	struct request q = {&words.w, init};
	int r = parse(l, &a, &words, e);

	if (r >= 0)
		r = guestfiles_child(do_request, &q, child, out, e);
	opt_done(opts, &words);
	return r;
}
