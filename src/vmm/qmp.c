/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/qmp.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/json.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int qmp_classify(const char *line, size_t len, struct err *e)
{
	auto_json struct json *j = NULL;
	const struct json *error;
	const char *text;
	char clean[256];
	int r = json_parse(line, len, "QEMU's answer", &j, e);

	if (r < 0)
		return r;
	if (json_member(j, "QMP"))
		return QMP_GREETING;
	if (json_member(j, "event"))
		return QMP_EVENT;
	error = json_member(j, "error");
	if (error) {
		text = json_string(json_member(error, "desc"));
		snprintf(clean, sizeof(clean), "%s", text ? text : "no description");
		for (char *p = clean; *p; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				*p = ' ';
		err_set(e, ERR_SYSTEM, "QEMU: %s", clean);
		return QMP_ERROR;
	}
	if (json_is_object(j) && json_member(j, "return"))
		return QMP_RETURN;
	return err_set(e, ERR_CORRUPT, "QEMU's answer is neither return, error nor event");
}

static int fill(struct qmp *q, int64_t deadline_ns, struct err *e)
{
	int64_t left = deadline_ns - trace_now_ns();
	struct pollfd p = {.fd = q->fd, .events = POLLIN};
	ssize_t n;
	int r;

	if (!q->line)
		q->line = malloc(QMP_LINE_MAX);
	if (!q->line)
		abort();
	if (q->len == QMP_LINE_MAX)
		return err_set(e, ERR_CORRUPT, "QEMU's answer is longer than %d bytes",
			       QMP_LINE_MAX);
	if (left <= 0)
		return err_set(e, ERR_TIMEOUT, "QEMU does not answer");
	r = poll(&p, 1, (int)(left / 1000000) + 1);
	if (r < 0 && errno != EINTR)
		return err_sys(e, "QEMU's monitor");
	if (r <= 0)
		return 0;
	n = recv(q->fd, q->line + q->len, QMP_LINE_MAX - q->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_sys(e, "QEMU's monitor");
	if (n == 0)
		return err_set(e, ERR_SYSTEM, "QEMU has ended");
	q->len += (size_t)n;
	return 0;
}

/* The next line that is no event. */
static int answer(struct qmp *q, int64_t deadline_ns, struct err *e)
{
	for (;;) {
		char *end = q->len ? memchr(q->line, '\n', q->len) : NULL;
		size_t used;
		int r;

		if (!end) {
			r = fill(q, deadline_ns, e);
			if (r < 0)
				return r;
			continue;
		}
		used = (size_t)(end - q->line) + 1;
		r = qmp_classify(q->line, used - 1, e);
		memmove(q->line, q->line + used, q->len - used);
		q->len -= used;
		if (r != QMP_EVENT)
			return r;
	}
}

static int ask(struct qmp *q, const char *name, const char *args, int64_t deadline_ns,
	       struct err *e)
{
	auto_buf struct buf line = BUF_INIT(256);
	int r;

	buf_puts(&line, "{\"execute\":");
	json_quote(&line, name);
	if (args)
		buf_printf(&line, ",\"arguments\":%s", args);
	buf_puts(&line, "}\n");
	r = fd_write_all(q->fd, line.p, line.len);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "QEMU's monitor");
	}
	r = answer(q, deadline_ns, e);
	if (r == QMP_ERROR)
		return -EIO;
	if (r >= 0 && r != QMP_RETURN)
		return err_set(e, ERR_CORRUPT, "QEMU greets again");
	return r < 0 ? r : 0;
}

int qmp_command(struct qmp *q, const char *name, const char *args, int timeout_ms, struct err *e)
{
	int64_t deadline = trace_now_ns() + (int64_t)timeout_ms * 1000000;
	int r;

	if (!q->ready) {
		r = answer(q, deadline, e);
		if (r >= 0 && r != QMP_GREETING)
			return err_set(e, ERR_CORRUPT, "QEMU does not greet");
		if (r >= 0)
			r = ask(q, "qmp_capabilities", NULL, deadline, e);
		if (r < 0)
			return r;
		q->ready = 1;
	}
	return ask(q, name, args, deadline, e);
}

void qmp_done(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	free(q->line);
	*q = QMP_INIT;
}
