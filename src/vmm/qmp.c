/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/qmp.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/json.h"
#include "spec/trace.h"
#include "sys/fd.h"
#include "sys/sock.h"

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

/* The string that qmp_query() waits for, blanked where it is not printable. */
static void keep_member(struct qmp *q, const char *line, size_t len)
{
	auto_json struct json *j = NULL;
	const char *text;

	if (json_parse(line, len, "QEMU's answer", &j, NULL) < 0)
		return;
	text = json_string(json_member(json_member(j, "return"), q->member));
	snprintf(q->value, q->value_size, "%s", text ? text : "");
	for (char *p = q->value; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
}

static int version_part(const struct json *v, const char *name)
{
	double n = 0;

	return json_number(json_member(v, name), &n) && n >= 0 && n < 10000 ? (int)n : 0;
}

/* "7.2.22 (Debian 1:7.2+dfsg-7)" */
static void keep_version(struct qmp *q, const char *line, size_t len)
{
	auto_json struct json *j = NULL;
	const struct json *version, *v;
	const char *package;

	if (json_parse(line, len, "QEMU's greeting", &j, NULL) < 0)
		return;
	version = json_member(json_member(j, "QMP"), "version");
	v = json_member(version, "qemu");
	package = json_string(json_member(version, "package"));
	snprintf(q->version, sizeof(q->version), "%d.%d.%d%s%s%s", version_part(v, "major"),
		 version_part(v, "minor"), version_part(v, "micro"),
		 package && *package ? " (" : "", package ? package : "",
		 package && *package ? ")" : "");
	for (char *p = q->version; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
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
		if (r == QMP_RETURN && q->member)
			keep_member(q, q->line, used - 1);
		if (r == QMP_GREETING)
			keep_version(q, q->line, used - 1);
		memmove(q->line, q->line + used, q->len - used);
		q->len -= used;
		if (r != QMP_EVENT)
			return r;
	}
}

/* fd >= 0 goes along with the text. */
static int say(const struct qmp *q, const char *name, const char *args, int fd, struct err *e)
{
	auto_buf struct buf line = BUF_INIT(256);
	int r;

	buf_puts(&line, "{\"execute\":");
	json_quote(&line, name);
	if (args)
		buf_printf(&line, ",\"arguments\":%s", args);
	buf_puts(&line, "}\n");
	r = fd < 0 ? fd_write_all(q->fd, line.p, line.len)
		   : sock_send_fds(q->fd, line.p, line.len, &fd, 1);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "QEMU's monitor");
	}
	return 0;
}

static int ask(struct qmp *q, const char *name, const char *args, int fd, int64_t deadline_ns,
	       struct err *e)
{
	int r = say(q, name, args, fd, e);

	if (r < 0)
		return r;
	r = answer(q, deadline_ns, e);
	if (r == QMP_ERROR)
		return -EIO;
	if (r >= 0 && r != QMP_RETURN)
		return err_set(e, ERR_CORRUPT, "QEMU greets again");
	return r < 0 ? r : 0;
}

static int command(struct qmp *q, const char *name, const char *args, int fd, int timeout_ms,
		   struct err *e)
{
	int64_t deadline = trace_now_ns() + (int64_t)timeout_ms * 1000000;
	int r;

	if (!q->ready) {
		r = answer(q, deadline, e);
		if (r >= 0 && r != QMP_GREETING)
			return err_set(e, ERR_CORRUPT, "QEMU does not greet");
		if (r >= 0 && !q->owed)
			r = ask(q, "qmp_capabilities", NULL, -1, deadline, e);
		if (r < 0)
			return r;
		q->ready = 1;
	}
	for (; q->owed; q->owed--) {
		r = answer(q, deadline, NULL);
		if (r < 0)
			return err_set(e, ERR_SYSTEM, "QEMU's monitor ended");
	}
	return ask(q, name, args, fd, deadline, e);
}

int qmp_command(struct qmp *q, const char *name, const char *args, int timeout_ms, struct err *e)
{
	return command(q, name, args, -1, timeout_ms, e);
}

int qmp_queue(struct qmp *q, const char *name, const char *args, struct err *e)
{
	int r = 0;

	if (!q->ready && !q->owed) {
		r = say(q, "qmp_capabilities", NULL, -1, e);
		q->owed = 1;
	}
	if (r == 0)
		r = say(q, name, args, -1, e);
	q->owed++;
	return r;
}

int qmp_send_fd(struct qmp *q, int fd, const char *name, int timeout_ms, struct err *e)
{
	auto_buf struct buf args = BUF_INIT(256);

	buf_puts(&args, "{\"fdname\":");
	json_quote(&args, name);
	buf_puts(&args, "}");
	return command(q, "getfd", args.p, fd, timeout_ms, e);
}

int qmp_query(struct qmp *q, const char *name, const char *member, char *out, size_t size,
	      int timeout_ms, struct err *e)
{
	int r;

	*out = '\0';
	q->member = member;
	q->value = out;
	q->value_size = size;
	r = command(q, name, NULL, -1, timeout_ms, e);
	q->member = NULL;
	return r;
}

void qmp_done(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	free(q->line);
	*q = QMP_INIT;
}
