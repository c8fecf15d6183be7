/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/forward.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/session.h"
#include "fmt/publish.h"
#include "net/attach.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

struct forward {
	int life, ready; /* our child's ends */
	int ns;
	const struct attach_result *net;
	const char *program;
	struct strs args;
};

static void arguments(struct forward *f, struct arena *a)
{
	const struct plan_nics *l = &f->net->nics;
	const char *with_len = l->v[0].address;
	const char *address;

	/* Ports are those of the network with the default route. */
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].gateway)
			with_len = l->v[i].address;
	address = arena_dupn(a, with_len, strcspn(with_len, "/"));
	arena_strs_add(a, &f->args, "caisson-forward");
	arena_strs_add(a, &f->args, arena_printf(a, "%d", f->life));
	for (size_t i = 0; i < f->net->n_published; i++) {
		const struct publish *p = &f->net->published[i];

		arena_strs_add(a, &f->args,
			       arena_printf(a, "%s:%d:%s:%u", publish_proto_names[p->proto],
					    f->net->port_fds[i], address, p->port_first));
	}
}

static _Noreturn void become(const struct forward *f)
{
	static char *const nothing[] = {NULL};
	union {
		const char *const *in;
		char *const *out;
	} argv = {.in = f->args.v};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (setns(f->ns, CLONE_NEWNET) < 0 || chdir("/") < 0 || fd_cloexec_from(3) < 0 ||
	    dup2(null, 0) < 0 || dup2(f->ready, 1) < 0 || dup2(null, 2) < 0)
		_exit(126);
	fd_set_cloexec(f->life, 0);
	for (size_t i = 0; i < f->net->n_port_fds; i++)
		fd_set_cloexec(f->net->port_fds[i], 0);
	execve(f->program, argv.out, nothing);
	_exit(127);
}

static int spawn(struct forward *f, struct err *e)
{
	int ready[2];
	pid_t pid;
	char c;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	f->ready = ready[1];
	pid = fork();
	if (pid == 0)
		become(f);
	close(ready[1]);
	/* Nobody's child when we have gone; its end is its life line's. */
	if (pid < 0 || fd_read_full(ready[0], &c, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid < 0 ? err_set(e, ERR_SYSTEM, "the published ports cannot be forwarded") : 0;
}

int forward_start(struct session *s, const struct attach_result *net, struct arena *a,
		  struct err *e)
{
	struct forward f = {.net = net};
	struct userns_holder h;
	auto_fd int ours = -1, theirs = -1, ns = -1;
	int p[2], r;

	if (!net->n_published || !net->nics.n || !userns_inside() ||
	    userns_holder_read(store_run_fd(s->store), &h) < 0)
		return -ENOENT;
	if (net->n_port_fds != net->n_published)
		return err_set(e, ERR_UNSUPPORTED,
			       "an ordinary user can publish at most %zu ports of an instance, "
			       "and no SCTP",
			       net->n_port_fds);
	ns = userns_holder_net(&h);
	if (ns < 0)
		return err_set(e, ERR_CONFLICT, "the network of this user's engine is gone");
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	theirs = p[0];
	ours = p[1];
	f.life = theirs;
	f.ns = ns;
	f.program = arena_printf(a, "%s/caisson-forward", s->libexec);
	arguments(&f, a);
	r = spawn(&f, e);
	return r < 0 ? r : take_fd(&ours);
}
