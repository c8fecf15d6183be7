/* SPDX-License-Identifier: Apache-2.0 */
#include "store/helper.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "spec/wire.h"
#include "store/store.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_MAX 8

int helper_start(struct store *s, const char *program, const struct strs *args,
		 const struct child_fd *fds, size_t nfds, struct helper *h, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *path = store_helper(s, program, &a);
	struct child_fd all[FDS_MAX + 2];
	struct strs argv = {0};
	struct child_opts o = {.path = path, .fds = all};
	int out[2], err[2];

	*h = HELPER_INIT;
	h->program = program;
	if (!path)
		return err_set(e, ERR_NOT_FOUND, "the program %s is not installed", program);
	if (nfds > FDS_MAX)
		return err_set(e, ERR_LIMIT, "too many descriptors for %s", program);
	arena_strs_add(&a, &argv, program);
	arena_strs_add(&a, &argv, arena_printf(&a, "--err-fd=%d", HELPER_ERR_FD));
	for (size_t i = 0; i < args->n; i++)
		arena_strs_add(&a, &argv, args->v[i]);
	o.argv = argv.v;
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	h->out = out[0];
	if (pipe2(err, O_CLOEXEC) < 0) {
		close(out[1]);
		return err_sys(e, "pipe");
	}
	h->err = err[0];
	for (; o.nfds < nfds; o.nfds++)
		all[o.nfds] = fds[o.nfds];
	all[o.nfds++] = (struct child_fd){out[1], STDOUT_FILENO};
	all[o.nfds++] = (struct child_fd){err[1], HELPER_ERR_FD};
	h->pid = child_start(&o);
	close(out[1]);
	close(err[1]);
	if (h->pid < 0) {
		errno = -h->pid;
		return err_sys(e, "cannot start %s", program);
	}
	return 0;
}

/* What the program left in its error pipe, or else how it ended. */
static int reason(struct helper *h, int status, struct err *e)
{
	unsigned char b[sizeof(struct err)];
	struct wire_frame f = {.data = b};
	ssize_t n = fd_read_full(h->err, b, sizeof(b));

	f.len = n > 0 ? (size_t)n : 0;
	if (f.len == sizeof(b))
		return wire_err(&f, e);
	if (WIFSIGNALED(status))
		return err_set(e, ERR_SYSTEM, "%s was killed by signal %d", h->program,
			       WTERMSIG(status));
	return err_set(e, ERR_SYSTEM, "%s ended with code %d", h->program, WEXITSTATUS(status));
}

ssize_t helper_finish(struct helper *h, size_t max, char **answer, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = answer ? fd_slurp(h->out, max, &text) : 0;
	int status, r;

	if (n < 0) {
		helper_stop(h);
		return err_set(e, ERR_LIMIT, "%s says more than %zu bytes", h->program, max);
	}
	r = child_wait(h->pid, &status);
	h->pid = -1;
	if (r < 0 || status != 0)
		n = reason(h, status, e);
	helper_stop(h);
	if (n >= 0 && answer)
		*answer = take_ptr(&text);
	return n;
}

void helper_stop(struct helper *h)
{
	child_kill(h->pid);
	h->pid = -1;
	fd_close(h->out);
	fd_close(h->err);
	h->out = h->err = -1;
}
