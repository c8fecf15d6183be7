/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocivmio.h"
#include "base/auto.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* An open file description of our own, so that O_NONBLOCK is nobody else's.  O_NOCTTY: opening a
 * terminal by its name would otherwise make it the session's. */
static int own(int fd, int mode)
{
	char path[32];
	struct stat st;
	int again;

	if (fd < 0 || fstat(fd, &st) < 0 || (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)))
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	/* ENXIO: nobody reads any more.  Others, such as EACCES: use it as it is. */
	if (again < 0 && errno != ENXIO)
		return fd;
	close(fd);
	return again;
}

void ocivmio_open(struct ocivmio *io, int in, int out, int err)
{
	*io = (struct ocivmio){
	    .in = own(in, O_RDONLY),
	    .out = {own(out, O_WRONLY), own(err, O_WRONLY)},
	    .q = {BUF_INIT(OCIVMIO_WINDOW), BUF_INIT(OCIVMIO_WINDOW)},
	    .may_send = OCIVMIO_WINDOW,
	};
	io->in_eof = io->in < 0;
}

static void drop(int *fd)
{
	fd_close(*fd);
	*fd = -1;
}

void ocivmio_close(struct ocivmio *io)
{
	drop(&io->in);
	for (int i = 0; i < 2; i++) {
		drop(&io->out[i]);
		buf_free(&io->q[i]);
	}
}

static size_t waiting(const struct ocivmio *io, int i)
{
	return io->q[i].len - io->off[i];
}

void ocivmio_poll(const struct ocivmio *io, bool want_input, struct pollfd p[3])
{
	bool input = want_input && !io->in_eof && io->may_send > 0;

	p[0] = (struct pollfd){.fd = input ? io->in : -1, .events = POLLIN};
	for (int i = 0; i < 2; i++)
		p[1 + i] =
		    (struct pollfd){.fd = waiting(io, i) ? io->out[i] : -1, .events = POLLOUT};
}

int ocivmio_output(struct ocivmio *io, int i, const void *data, size_t len)
{
	if (len > OCIVMIO_WINDOW - io->held || io->eof[i])
		return -EBADMSG;
	if (!len) {
		io->eof[i] = true;
		return 0;
	}
	if (io->off[i]) {
		memmove(io->q[i].p, io->q[i].p + io->off[i], waiting(io, i));
		io->q[i].len -= io->off[i];
		io->off[i] = 0;
	}
	buf_add(&io->q[i], data, len);
	io->held += len;
	return 0;
}

static ssize_t put(int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? write(fd, data, len) : n;
}

static void flush(struct ocivmio *io, int i)
{
	while (waiting(io, i)) {
		ssize_t n = io->out[i] < 0
				? (ssize_t)waiting(io, i) /* nobody reads: taken and forgotten */
				: put(io->out[i], io->q[i].p + io->off[i], waiting(io, i));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			drop(&io->out[i]);
			continue;
		}
		io->off[i] += (size_t)n;
		io->ungranted += (uint32_t)n;
	}
	if (io->eof[i])
		drop(&io->out[i]);
}

void ocivmio_flush(struct ocivmio *io)
{
	flush(io, 0);
	flush(io, 1);
}

bool ocivmio_drained(const struct ocivmio *io)
{
	return !waiting(io, 0) && !waiting(io, 1);
}

size_t ocivmio_input(struct ocivmio *io, void *data, size_t size)
{
	ssize_t n;

	if (io->in_eof || !io->may_send)
		return 0;
	if (io->in < 0) {
		io->in_eof = true;
		return 0;
	}
	n = recv(io->in, data, size < io->may_send ? size : io->may_send, MSG_DONTWAIT);
	if (n < 0 && errno == ENOTSOCK)
		n = read(io->in, data, size < io->may_send ? size : io->may_send);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) { /* EIO: the terminal's other end is closed */
		io->in_eof = true;
		drop(&io->in);
		return 0;
	}
	io->may_send -= (size_t)n;
	return (size_t)n;
}
