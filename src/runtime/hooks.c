/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/hooks.h"
#include "base/auto.h"
#include "base/buf.h"
#include "fmt/json.h"
#include "runtime/runtime_int.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define OUTPUT_MAX 300 /* bytes of a failed hook's output that the message carries */

void hooks_state(const struct plan *p, const char *id, const char *bundle, const char *status,
		 pid_t pid, struct buf *out)
{
	buf_puts(out, "{\"ociVersion\":");
	json_quote(out, p->oci_version);
	buf_puts(out, ",\"id\":");
	json_quote(out, id);
	buf_puts(out, ",\"status\":");
	json_quote(out, status);
	if (pid > 0)
		buf_printf(out, ",\"pid\":%d", (int)pid);
	buf_puts(out, ",\"bundle\":");
	json_quote(out, bundle ? bundle : "");
	if (p->annotations.n) {
		buf_puts(out, ",\"annotations\":{");
		for (size_t i = 0; i < p->annotations.n; i++) {
			if (i)
				buf_puts(out, ",");
			json_quote(out, p->annotations.v[i].key);
			buf_puts(out, ":");
			json_quote(out, p->annotations.v[i].value);
		}
		buf_puts(out, "}");
	}
	buf_puts(out, "}");
}

void hooks_listener_state(const struct job *j, struct buf *out)
{
	buf_puts(out, "{\"ociVersion\":");
	json_quote(out, j->plan->oci_version);
	buf_printf(out, ",\"fds\":[\"seccompFd\"],\"pid\":%d", (int)j->host_pid);
	if (j->seccomp.listener_metadata) {
		buf_puts(out, ",\"metadata\":");
		json_quote(out, j->seccomp.listener_metadata);
	}
	buf_puts(out, ",\"state\":");
	hooks_state(j->plan, j->id, j->opts->bundle, j->exec ? "running" : "creating", j->host_pid,
		    out);
	buf_puts(out, "}");
}

static void run_child(const struct plan_hook *h, int in, int out)
{
	static char *const nothing[] = {NULL};
	char *own[] = {(char *)(uintptr_t)h->path, NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup3(in, 0, 0) < 0 || dup3(out, 1, 0) < 0 || dup3(out, 2, 0) < 0)
		_exit(127);
	if (fd_cloexec_from(3) < 0)
		_exit(127);
	execve(h->path, h->args.n ? (char *const *)(uintptr_t)h->args.v : own,
	       h->env.n ? (char *const *)(uintptr_t)h->env.v : nothing);
	dprintf(2, "exec '%s': %s", h->path, strerror(errno));
	_exit(127);
}

/* Until the process has ended or the time is over; output is drained meanwhile so that a talkative
 * hook does not block, and only its beginning is kept. */
static int wait_for(pid_t pid, int out, const struct plan_hook *h, struct buf *text, int *status)
{
	int64_t end = h->timeout.set ? trace_now_ns() + h->timeout.v * 1000000000LL : INT64_MAX;
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = out, .events = POLLIN}};
	bool late = false;

	while (pidfd >= 0) {
		int64_t left = end == INT64_MAX ? -1 : (end - trace_now_ns()) / 1000000;
		char b[4096];
		ssize_t n;

		if (left < -1 || (end != INT64_MAX && left <= 0)) {
			late = true;
			break;
		}
		if (poll(p, 2, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR)
			break;
		if (p[1].revents) {
			n = read(out, b, sizeof(b));
			if (n <= 0)
				p[1].fd = -1;
			else if (text->len < OUTPUT_MAX)
				buf_add(text, b,
					(size_t)n < OUTPUT_MAX - text->len
					    ? (size_t)n
					    : OUTPUT_MAX - text->len);
			continue;
		}
		if (p[0].revents)
			break;
	}
	if (late)
		kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return late ? -ETIMEDOUT : 0;
}

/* "bad system call": as the other runtimes write it. */
static const char *signal_words(int sig, char *out, size_t size)
{
	snprintf(out, size, "%s", strsignal(sig));
	if (out[0] >= 'A' && out[0] <= 'Z')
		out[0] = (char)(out[0] - 'A' + 'a');
	return out;
}

static int run_one(const struct plan_hook *h, size_t at, const char *name, const char *state,
		   struct err *e)
{
	auto_fd int in = fd_sealed("state", state, strlen(state)), out_read = -1, out_write = -1;
	auto_buf struct buf text = BUF_INIT(OUTPUT_MAX + 1);
	int pair[2], status = 0, r;
	char words[48];
	pid_t pid;

	if (in < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, "prepare %s hook", name);
	out_read = pair[0];
	out_write = pair[1];
	fd_set_nonblock(out_read, 1);
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork for %s hook", name);
	if (pid == 0)
		run_child(h, in, out_write);
	close(take_fd(&out_write));
	r = wait_for(pid, out_read, h, &text, &status);
	if (r == -ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT,
			       "error running %s hook #%zu: '%s' did not end within %lld s", name,
			       at, h->path, (long long)h->timeout.v);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return err_set(e, ERR_SYSTEM, "error running %s hook #%zu: signal: %s, output: %s",
			       name, at, signal_words(WTERMSIG(status), words, sizeof(words)),
			       text.p);
	return err_set(e, ERR_SYSTEM, "error running %s hook #%zu: exit status %d, output: %s",
		       name, at, WEXITSTATUS(status), text.p);
}

int hooks_run(const struct plan_hook_list *list, const char *name, const char *state, struct err *e)
{
	for (size_t i = 0; i < list->n; i++) {
		int r = run_one(&list->v[i], i, name, state, e);

		if (r < 0)
			return r;
	}
	return 0;
}
