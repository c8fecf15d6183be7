/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nameproc.h"
#include "base/auto.h"
#include "base/err.h"
#include "net/attachment.h"
#include "spec/trace.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#define LOCK_NAME "names"
#define SOCK_NAME "names.sock"
#define WAIT_S	  5

int nameproc_start(int net_fd, const char *libexec, struct err *e)
{
	auto_fd int mine =
	    openat(net_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	auto_fd int control = -1, lock = -1, records = -1;
	char path[4096];
	const char *const argv[] = {"caisson-names", NULL};
	struct child_fd fds[] = {{-1, 0}, {-1, 1}, {-1, 2}, {-1, 3}, {-1, 4}, {-1, 5}, {mine, 6}};
	struct child_opts o = {
	    .path = path, .argv = argv, .fds = fds, .nfds = sizeof(fds) / sizeof(*fds)};
	int status = 0;
	pid_t pid;

	if (mine < 0)
		return err_sys(e, "run-root/net: " LOCK_NAME);
	if (flock(mine, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : err_sys(e, "run-root/net: " LOCK_NAME);
	(void)unlinkat(net_fd, SOCK_NAME, 0);
	control = sock_listen(net_fd, SOCK_NAME, 0600);
	lock = openat(net_fd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	records = openat(net_fd, "attached", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* It reads them as nobody, whatever the umask was. */
	if (control < 0 || lock < 0 || records < 0 || fchmod(records, 0755) < 0)
		return err_set(e, ERR_SYSTEM, "run-root/net: " SOCK_NAME " cannot be made");
	fds[3].from = records;
	fds[4].from = control;
	fds[5].from = lock;
	snprintf(path, sizeof(path), "%s/caisson-names", libexec);
	/* It goes on as a child of nobody's. */
	pid = child_start(&o);
	if (pid < 0) {
		errno = -(int)pid;
		return err_sys(e, "%s", path);
	}
	if (child_wait(pid, &status) < 0 || status)
		return err_set(e, ERR_SYSTEM, "%s: it ended", path);
	return 0;
}

/* Its word: 0 or an errno.  -ENOTCONN it is not there, or is no more. */
static int its_word(int net_fd)
{
	auto_fd int fd = sock_connect(net_fd, SOCK_NAME);
	const struct timeval wait = {.tv_sec = WAIT_S};
	char text[16] = "";
	ssize_t n;

	if (fd < 0)
		return -ENOTCONN;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	n = recv(fd, text, sizeof(text) - 1, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -ETIMEDOUT;
	return n <= 0 ? -ENOTCONN : (int)strtol(text, NULL, 10);
}

static int start_again(int net_fd, const char *libexec, struct err *e)
{
	auto_fd int lock = attachment_lock(net_fd, e);

	return lock < 0 ? lock : nameproc_start(net_fd, libexec, e);
}

/* One that was killed holds its own lock until the kernel has taken it apart: whoever came in
 * between found the lock held and nobody behind it, and starts the next one here. */
int nameproc_wait(int net_fd, const char *libexec, struct err *e)
{
	int64_t end = trace_now_ns() + WAIT_S * 1000000000LL;
	int r, word = its_word(net_fd);

	while (word == -ENOTCONN && trace_now_ns() < end) {
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
		r = start_again(net_fd, libexec, e);
		if (r < 0)
			return r;
		word = its_word(net_fd);
	}
	if (word == -ENOTCONN)
		return err_set(e, ERR_SYSTEM, "the name server of the networks is not there");
	if (word < 0)
		return err_set(e, ERR_SYSTEM, "the name server of the networks does not answer");
	if (word == EADDRINUSE)
		return err_set(e, ERR_CONFLICT,
			       "port %d of the host, where names of networks are answered, is in "
			       "use",
			       NAMEPROC_PORT);
	if (word) {
		errno = word;
		return err_sys(e, "the name server of the networks");
	}
	return 0;
}
