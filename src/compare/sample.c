/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/sample.h"
#include "base/auto.h"
#include "base/err.h"
#include "spec/trace.h"
#include "sys/child.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 10

struct stream {
	int fd;	  /* -1: ended */
	bool end; /* its end is kept, not its beginning */
	char *text;
	size_t len;
	uint64_t bytes;
};

static void keep(struct stream *s, const char *b, size_t n)
{
	size_t room = SAMPLE_TEXT - 1;

	if (s->end && n > room) {
		b += n - room;
		n = room;
	}
	if (s->end && s->len + n > room) {
		size_t over = s->len + n - room;

		memmove(s->text, s->text + over, s->len - over);
		s->len -= over;
	}
	n = n > room - s->len ? room - s->len : n;
	memcpy(s->text + s->len, b, n);
	s->len += n;
	s->text[s->len] = '\0';
}

/* Read what is there.  1 when bytes came. */
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
	keep(s, b, (size_t)n);
	s->bytes += (uint64_t)n;
	return 1;
}

/* Until the process has ended, and what it wrote until then is read: what it left in the background
 * may keep the streams for ever.  1 when it has. */
static int step(struct stream *s, int pidfd, int wait_ms, int64_t start, struct sample *out)
{
	struct pollfd p[3] = {{.fd = s[0].fd, .events = POLLIN},
			      {.fd = s[1].fd, .events = POLLIN},
			      {.fd = pidfd, .events = POLLIN}};
	int64_t now;
	int n = poll(p, 3, wait_ms), came = 0;

	if (n < 0)
		return -errno;
	now = trace_now_ns();
	for (int i = 0; i < 2; i++)
		if (p[i].revents) {
			int r = drain(&s[i]);

			came |= r;
			if (r && out->first_ns < 0)
				out->first_ns = now - start;
		}
	if (p[2].revents && out->total_ns < 0)
		out->total_ns = now - start;
	return p[2].revents && !came;
}

static int watch(struct stream *s, int pidfd, int64_t timeout_ns, pid_t pid,
		 const struct sample_watch *w, struct sample *out)
{
	int64_t start = out->total_ns;
	int r = 0;

	out->total_ns = -1;
	while (r == 0) {
		int64_t left = timeout_ns - (trace_now_ns() - start);

		if (left <= 0)
			return -ETIMEDOUT;
		r = step(s, pidfd, w ? LOOK_MS : (int)(left / 1000000) + 1, start, out);
		if (w)
			w->look(pid, w->arg);
	}
	return r < 0 ? r : 0;
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

int sample_watched(const char *const *argv, const char *const *env, int64_t timeout_ns,
		   const struct sample_watch *w, struct sample *out, struct err *e)
{
	struct sample got = {.first_ns = -1, .total_ns = trace_now_ns() /* watch() has it first */};
	struct stream s[2] = {{.fd = -1, .text = got.out},
			      {.fd = -1, .end = true, .text = got.err_end}};
	auto_fd int pidfd = -1;
	int status = 0;
	pid_t pid = -1;
	int r = start(argv, env, s, &pid);

	if (r == 0) {
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* always close-on-exec */
		r = pidfd < 0 ? -errno : watch(s, pidfd, timeout_ns, pid, w, &got);
	}
	for (int i = 0; i < 2; i++)
		if (s[i].fd >= 0)
			close(s[i].fd);
	if (r < 0 && pid > 0)
		child_kill(pid);
	if (r == -EINTR)
		return err_set(e, ERR_CANCELED, "it was interrupted");
	if (r == -ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT, "it did not end within %.3g s",
			       (double)timeout_ns / 1e9);
	if (r == 0)
		r = child_wait(pid, &status);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "start %s", argv[0]);
	}
	got.bytes = s[0].bytes + s[1].bytes;
	got.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	*out = got;
	return 0;
}

int sample_run(const char *const *argv, const char *const *env, int64_t timeout_ns,
	       struct sample *out, struct err *e)
{
	return sample_watched(argv, env, timeout_ns, NULL, out, e);
}
