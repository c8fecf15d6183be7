/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/live.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/trace.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLOSE_NS 10000000000

int live_line(struct live *l, int64_t deadline, char *out, size_t size, struct err *e)
{
	for (;;) {
		struct pollfd p = {.fd = l->out, .events = POLLIN};
		char *nl = memchr(l->text, '\n', l->len);
		int64_t left = deadline - trace_now_ns();
		ssize_t n;

		if (nl) {
			size_t len = (size_t)(nl - l->text);

			/* A console may end lines as terminals do. */
			snprintf(out, size, "%.*s",
				 (int)(len && l->text[len - 1] == '\r' ? len - 1 : len), l->text);
			l->len -= len + 1;
			memmove(l->text, nl + 1, l->len);
			return 0;
		}
		if (l->len == sizeof(l->text))
			return err_set(e, ERR_CORRUPT, "the workload writes a line without end");
		if (left <= 0)
			return err_set(e, ERR_TIMEOUT, "the workload does not answer");
		if (poll(&p, 1, (int)(left / 1000000) + 1) < 0)
			return err_set(e, ERR_CANCELED, "it was interrupted");
		if (!p.revents)
			continue;
		n = read(l->out, l->text + l->len, sizeof(l->text) - l->len);
		if (n < 0 && errno == EINTR)
			return err_set(e, ERR_CANCELED, "it was interrupted");
		if (n <= 0)
			return err_set(e, ERR_CORRUPT, "the workload ended");
		l->len += (size_t)n;
	}
}

/* Lines before "ready" are what the command complains of; the last one is the reason. */
static int wait_ready(struct live *l, int64_t deadline, struct err *e)
{
	char text[LIVE_TEXT], last[LIVE_TEXT] = "";
	int r;

	for (;;) {
		r = live_line(l, deadline, text, sizeof(text), e);
		if (r < 0)
			break;
		if (sscanf(text, "ready %" SCNd64, &l->main_ns) == 1) {
			l->ready_ns = trace_now_ns();
			return 0;
		}
		memcpy(last, text, sizeof(last));
	}
	if (!last[0])
		return r;
	return err_set(e, ERR_SYSTEM, "%s", str_after(last, "caisson: ") ? last + 9 : last);
}

int live_open(struct live *l, const char *const *argv, const char *const *env, int64_t timeout_ns,
	      struct err *e)
{
	int in[2], out[2], r;
	struct child_fd fds[3];
	struct child_opts o = {.path = argv[0], .argv = argv, .env = env, .fds = fds, .nfds = 3};

	*l = LIVE_INIT;
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = err_sys(e, "pipe");
		close(in[0]);
		close(in[1]);
		return r;
	}
	fds[0] = (struct child_fd){in[0], 0};
	fds[1] = (struct child_fd){out[1], 1};
	fds[2] = (struct child_fd){out[1], 2};
	l->begin_ns = trace_now_ns();
	l->pid = child_start(&o);
	close(in[0]);
	close(out[1]);
	l->in = in[1];
	l->out = out[0];
	if (l->pid < 0) {
		errno = -l->pid;
		r = err_sys(e, "start %s", argv[0]);
	} else {
		r = wait_ready(l, trace_now_ns() + timeout_ns, e);
	}
	if (r < 0)
		live_close(l);
	return r;
}

int live_send(struct live *l, const char *command, struct err *e)
{
	int r = fd_write_all(l->in, command, strlen(command));

	if (r == 0)
		r = fd_write_all(l->in, "\n", 1);
	errno = -r;
	return r < 0 ? err_sys(e, "the workload") : 0;
}

int live_time(struct live *l, const char *command, int64_t timeout_ns, int64_t *ns, struct err *e)
{
	int64_t begin = trace_now_ns(), took;
	char text[LIVE_TEXT];
	int r = live_send(l, command, e);

	if (r == 0)
		r = live_line(l, begin + timeout_ns, text, sizeof(text), e);
	took = trace_now_ns() - begin - l->way_ns;
	if (r < 0)
		return r;
	if (!streq(text, "end"))
		return err_set(e, ERR_SYSTEM, "%s", str_after(text, "failed ") ? text + 7 : text);
	*ns = took > 1 ? took : 1;
	return 0;
}

#define QUESTIONS 5

int live_ahead(struct live *l, int64_t timeout_ns, int64_t *ahead_ns, struct err *e)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < QUESTIONS; i++) {
		char text[LIVE_TEXT];
		int64_t t0 = trace_now_ns(), inside, way;
		int r = live_ask(l, "clock", timeout_ns, text, sizeof(text), e);

		way = trace_now_ns() - t0;
		if (r < 0)
			return r;
		if (sscanf(text, "clock %" SCNd64, &inside) != 1)
			return err_set(e, ERR_CORRUPT, "the workload does not tell the time");
		if (way < best) {
			best = way;
			*ahead_ns = inside - (t0 + way / 2);
			l->way_ns = way;
		}
	}
	return 0;
}

int live_ask(struct live *l, const char *command, int64_t timeout_ns, char *answer, size_t size,
	     struct err *e)
{
	int r = live_send(l, command, e);

	return r < 0 ? r : live_line(l, trace_now_ns() + timeout_ns, answer, size, e);
}

void live_close(struct live *l)
{
	int64_t deadline = trace_now_ns() + CLOSE_NS;
	const struct timespec ms = {.tv_nsec = 1000000};

	if (l->in >= 0)
		close(l->in);
	while (l->pid > 0 && trace_now_ns() < deadline) {
		if (waitpid(l->pid, NULL, WNOHANG) != 0)
			l->pid = -1;
		else
			nanosleep(&ms, NULL);
	}
	if (l->pid > 0)
		child_kill(l->pid);
	if (l->out >= 0)
		close(l->out);
	*l = LIVE_INIT;
}
