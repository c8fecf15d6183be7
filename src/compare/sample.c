/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/sample.h"
#include "base/auto.h"
#include "base/err.h"
#include "spec/trace.h"
#include "sys/child.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>

struct stream {
	int fd; /* -1: ended */
	char *text;
	size_t len;
};

/* Read what is there; what does not fit into the text is dropped.  1 when bytes came. */
static int drain(struct stream *s)
{
	char b[65536];
	ssize_t n = read(s->fd, b, sizeof(b));

	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0) {
		close(s->fd);
		s->fd = -1;
		return 0;
	}
	if (s->len + 1 < SAMPLE_TEXT) {
		size_t room = SAMPLE_TEXT - 1 - s->len, take = (size_t)n < room ? (size_t)n : room;

		memcpy(s->text + s->len, b, take);
		s->len += take;
	}
	return 1;
}

static int watch(struct stream *s, int64_t start, int64_t timeout_ns, struct sample *out)
{
	while (s[0].fd >= 0 || s[1].fd >= 0) {
		struct pollfd p[2] = {{.fd = s[0].fd, .events = POLLIN},
				      {.fd = s[1].fd, .events = POLLIN}};
		int64_t left = timeout_ns - (trace_now_ns() - start), now;
		int n = left <= 0 ? 0 : poll(p, 2, (int)(left / 1000000) + 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ETIMEDOUT;
		now = trace_now_ns();
		for (int i = 0; i < 2; i++)
			if (p[i].revents && drain(&s[i]) && out->first_ns < 0)
				out->first_ns = now - start;
	}
	return 0;
}

static int start(const char *const *argv, const char *const *env, struct stream *s, pid_t *pid)
{
	int o[2], r[2];
	struct child_fd fds[3] = {{-1, 0}};
	struct child_opts opts = {.path = argv[0], .argv = argv, .env = env, .fds = fds, .nfds = 3};

	if (pipe2(o, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(r, O_CLOEXEC) < 0) {
		int saved = -errno;

		close(o[0]);
		close(o[1]);
		return saved;
	}
	fds[1] = (struct child_fd){o[1], 1};
	fds[2] = (struct child_fd){r[1], 2};
	s[0].fd = o[0];
	s[1].fd = r[0];
	*pid = child_start(&opts);
	close(o[1]);
	close(r[1]);
	return *pid < 0 ? *pid : 0;
}

int sample_run(const char *const *argv, const char *const *env, int64_t timeout_ns,
	       struct sample *out, struct err *e)
{
	struct sample got = {.first_ns = -1};
	struct stream s[2] = {{.fd = -1, .text = got.out}, {.fd = -1, .text = got.err}};
	int64_t begin = trace_now_ns();
	int status = 0;
	pid_t pid = -1;
	int r = start(argv, env, s, &pid);

	if (r == 0)
		r = watch(s, begin, timeout_ns, &got);
	for (int i = 0; i < 2; i++)
		if (s[i].fd >= 0)
			close(s[i].fd);
	if (r == -ETIMEDOUT) {
		child_kill(pid);
		return err_set(e, ERR_TIMEOUT, "%s did not end within %d s", argv[0],
			       (int)(timeout_ns / 1000000000));
	}
	if (r == 0)
		r = child_wait(pid, &status);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "start %s", argv[0]);
	}
	got.total_ns = trace_now_ns() - begin;
	got.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	*out = got;
	return 0;
}
