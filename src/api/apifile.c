/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apicall.h"
#include "api/apiroute.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/copy.h"
#include "engine/instance_diff.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/session.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define CHUNK (64u << 10)

int apifile_changes(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct strs all = {0};
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0)
		r = instance_diff_list(c->s, l.i.id, c->a, &all, e);
	if (r < 0)
		return r;
	buf_puts(&b, all.n ? "[" : "null");
	for (size_t i = 0; i < all.n; i++) {
		const char *v = all.v[i];

		buf_puts(&b, i ? ",{" : "{");
		w.comma = false;
		members_str(&w, "Path", v + 2);
		members_num(&w, "Kind", *v == 'A' ? 1 : *v == 'D' ? 2 : 0);
		buf_puts(&b, "}");
	}
	buf_puts(&b, all.n ? "]\n" : "\n");
	return apicall_json(c, 200, &b, e);
}

/* The archive's maker writes into a pipe, and its error behind everything, as a struct err. */
static void maker(struct apicall *c, const char *id, const int data[2], const int word[2])
{
	struct err e = ERR_INIT;

	close(data[0]);
	close(word[0]);
	copy_export(c->s, id, data[1], &e);
	fd_write_all(word[1], &e, sizeof(e));
	_exit(0);
}

static int pass(struct apicall *c, int from, struct err *e)
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
			r = exchange_begin(c->x, 200, "application/x-tar", e);
		if (r >= 0)
			r = exchange_write(c->x, p, (size_t)n, e);
	}
	return r < 0 ? r : 0;
}

int apifile_export(struct apicall *c, struct err *e)
{
	struct err why = ERR_INIT;
	int data[2], word[2], r;
	struct lookup l;
	pid_t pid;

	r = apicall_instance(c, &l, e);
	if (r < 0)
		return r;
	if (pipe2(data, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	if (pipe2(word, O_CLOEXEC) < 0) {
		close(data[0]);
		close(data[1]);
		return err_sys(e, "pipe");
	}
	pid = fork();
	if (pid == 0)
		maker(c, l.i.id, data, word);
	close(data[1]);
	close(word[1]);
	r = pid < 0 ? err_sys(e, "fork") : pass(c, data[0], e);
	/* A maker that nobody reads from ends by itself. */
	close(data[0]);
	if (pid > 0 && r == 0 && fd_read_full(word[0], &why, sizeof(why)) != sizeof(why))
		r = err_set(e, ERR_SYSTEM, "export: its process ended early");
	close(word[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (r == 0 && why.kind != ERR_NONE)
		r = err_set(e, why.kind, "%s", why.msg);
	return r;
}
