/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apipipe.h"
#include "api/apicall.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK (64u << 10)

/* The archive's maker writes into a pipe, and its error behind everything, as a struct err. */
static void maker(struct apicall *c, const struct apipipe *p, const int data[2], const int word[2])
{
	struct err e = ERR_INIT;

	close(data[0]);
	close(word[0]);
	p->run(c, data[1], p->arg, &e);
	fd_write_all(word[1], &e, sizeof(e));
	_exit(0);
}

static int pass(struct apicall *c, int from, const char *type, struct err *e)
{
	auto_free char *p = malloc(CHUNK);
	ssize_t n;
	int r = 0;

	if (!p)
		abort();
	while (r >= 0 && (n = read(from, p, CHUNK)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		/* What fails before its first byte is answered with a status. */
		if (!exchange_begun(c->x))
			r = exchange_begin(c->x, 200, type, e);
		if (r >= 0)
			r = exchange_write(c->x, p, (size_t)n, e);
	}
	return r < 0 ? r : 0;
}

int apipipe_out(struct apicall *c, const char *type, const struct apipipe *p, struct err *e)
{
	struct err why = ERR_INIT;
	int data[2], word[2], r;
	pid_t pid;

	if (pipe2(data, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	if (pipe2(word, O_CLOEXEC) < 0) {
		close(data[0]);
		close(data[1]);
		return err_sys(e, "pipe");
	}
	pid = fork();
	if (pid == 0)
		maker(c, p, data, word);
	close(data[1]);
	close(word[1]);
	r = pid < 0 ? err_sys(e, "fork") : pass(c, data[0], type, e);
	/* A maker that nobody reads from ends by itself. */
	close(data[0]);
	if (pid > 0 && r == 0 && fd_read_full(word[0], &why, sizeof(why)) != sizeof(why))
		r = err_set(e, ERR_SYSTEM, "its process ended early");
	close(word[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (r == 0 && why.kind != ERR_NONE)
		r = err_set(e, why.kind, "%s", why.msg);
	/* It made nothing at all: an empty archive is still an answer. */
	if (r == 0 && !exchange_begun(c->x))
		r = exchange_begin(c->x, 200, type, e);
	return r;
}

/* A page of another origin can send forms without asking.  (Plain text it could send, too, but that
 * is what docker's client calls an archive, and such a page says its Origin.) */
static bool is_archive(const char *type)
{
	return !type || !*type || strncasecmp(type, "application/octet-stream", 24) == 0 ||
	       strncasecmp(type, "application/x-tar", 17) == 0 ||
	       strncasecmp(type, "text/plain", 10) == 0 ||
	       strncasecmp(type, "application/tar", 15) == 0 ||
	       strncasecmp(type, "application/gzip", 16) == 0 ||
	       strncasecmp(type, "application/x-gzip", 18) == 0;
}

int apipipe_in(struct apicall *c, const struct apipipe *p, struct err *e)
{
	const char *type = http_request_field(&c->x->request, "Content-Type");
	pid_t feeder = -1;
	int fd, r, whole;

	if (!is_archive(type))
		return err_set(e, ERR_USAGE, "Content-Type '%.60s' is no archive's", type);
	fd = exchange_body_pipe(c->x, &feeder, e);
	if (fd < 0)
		return fd;
	r = p->run(c, fd, p->arg, e);
	close(fd);
	whole = exchange_body_wait(feeder, r < 0 ? NULL : e);
	/* What a client sent is its mistake, not damage of ours. */
	if (r < 0 && e && e->kind == ERR_CORRUPT)
		e->kind = ERR_USAGE;
	return r < 0 ? r : whole;
}
