/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup_bus.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LIMIT_NS (30LL * 1000 * 1000 * 1000)
#define SYSTEMD	 "org.freedesktop.systemd1"
#define DONE_MAX 8

struct job {
	char unit[256], result[32];
};

struct cgroup_bus {
	int fd;
	bool direct; /* no bus between us and systemd: no names, no Hello, signals unasked */
	uint32_t serial;
	unsigned char *in; /* DBUS_MESSAGE_MAX bytes */
	size_t have, used;
	/* Jobs that ended while we waited for a reply, oldest overwritten. */
	struct job done[DONE_MAX];
	size_t ndone;
};

static int connect_to(const char *path, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(e, "socket");
	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(e, ERR_USAGE, "D-Bus socket path is too long");
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			return err_set(e, ERR_UNSUPPORTED,
				       "systemd cgroup driver: nobody listens at %s", path);
		return err_sys(e, "connect to %s", path);
	}
	return take_fd(&fd);
}

static int wait_for(int fd, short events, int64_t end, struct err *e)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		int64_t left = end - trace_now_ns();
		int r;

		if (left <= 0)
			return err_set(e, ERR_TIMEOUT, "systemd does not answer");
		r = poll(&p, 1, (int)(left / 1000000) + 1);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_sys(e, "poll");
	}
}

static int send_all(struct cgroup_bus *b, const void *data, size_t len, struct err *e)
{
	int64_t end = trace_now_ns() + LIMIT_NS;
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(b->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			int r = wait_for(b->fd, POLLOUT, end, e);

			if (r < 0)
				return r;
			continue;
		}
		if (n < 0 && errno != EINTR)
			return err_sys(e, "send to systemd");
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int receive(struct cgroup_bus *b, int64_t end, struct err *e)
{
	int r = wait_for(b->fd, POLLIN, end, e);
	ssize_t n;

	if (r < 0)
		return r;
	memmove(b->in, b->in + b->used, b->have - b->used);
	b->have -= b->used;
	b->used = 0;
	n = recv(b->fd, b->in + b->have, DBUS_MESSAGE_MAX - b->have, MSG_DONTWAIT);
	if (n == 0)
		return err_set(e, ERR_SYSTEM, "systemd closed the connection");
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : err_sys(e, "receive from systemd");
	b->have += (size_t)n;
	return 0;
}

/* Source: D-Bus Specification, "Authentication Protocol"; EXTERNAL is the peer's own uid, which the
 * kernel tells the server.
 *
 * BEGIN goes with the first line, and a message only after the answer.  A message that systemd
 * (252) reads in one piece with BEGIN stays in its buffer, and we without a reply, until more
 * comes; sd-bus sends as we do. */
static int authenticate(struct cgroup_bus *b, struct err *e)
{
	int64_t end = trace_now_ns() + LIMIT_NS;
	char uid[16], text[80];
	size_t n;
	int r;

	snprintf(uid, sizeof(uid), "%u", (unsigned int)geteuid());
	n = (size_t)snprintf(text + 1, sizeof(text) - 1, "AUTH EXTERNAL ") + 1;
	text[0] = '\0';
	for (const char *p = uid; *p; p++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x", (unsigned char)*p);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\nBEGIN\r\n");
	r = send_all(b, text, n, e);
	while (r == 0 && !memmem(b->in, b->have, "\r\n", 2)) {
		if (b->have > 512)
			return err_set(e, ERR_CORRUPT, "D-Bus: no line in the server's greeting");
		r = receive(b, end, e);
	}
	if (r < 0)
		return r;
	if (b->have < 3 || memcmp(b->in, "OK ", 3) != 0)
		return err_set(e, ERR_DENIED, "D-Bus: the server refuses this user");
	b->used = (size_t)((unsigned char *)memmem(b->in, b->have, "\r\n", 2) - b->in) + 2;
	return 0;
}

/* The next whole message; borrowed until the next call. */
static int next_message(struct cgroup_bus *b, int64_t end, struct dbus_message *m, struct err *e)
{
	for (;;) {
		int64_t len = dbus_length(b->in + b->used, b->have - b->used);
		int r;

		if (len < 0)
			return err_set(e, ERR_CORRUPT, "D-Bus: systemd sent a malformed message");
		if (len > 0 && (uint64_t)len <= b->have - b->used) {
			const unsigned char *p = b->in + b->used;

			b->used += (size_t)len;
			return dbus_parse(p, (size_t)len, m, e);
		}
		r = receive(b, end, e);
		if (r < 0)
			return r;
	}
}

/* JobRemoved(u id, o job, s unit, s result). */
static void note_job(struct cgroup_bus *b, const struct dbus_message *m)
{
	struct job *j = &b->done[b->ndone % DONE_MAX];
	const char *path, *unit, *result;
	size_t at = 0;
	uint32_t id;

	if (m->type != DBUS_SIGNAL || !streq(m->member, "JobRemoved") ||
	    !streq(m->signature, "uoss") || !dbus_get_u32(m, &at, &id) ||
	    !dbus_get_string(m, &at, &path) || !dbus_get_string(m, &at, &unit) ||
	    !dbus_get_string(m, &at, &result))
		return;
	snprintf(j->unit, sizeof(j->unit), "%s", unit);
	snprintf(j->result, sizeof(j->result), "%s", result);
	b->ndone++;
}

static int call(struct cgroup_bus *b, const struct dbus_target *t, const char *signature,
		const struct buf *body, char *name, struct err *e)
{
	int64_t end = trace_now_ns() + LIMIT_NS;
	auto_buf struct buf out = BUF_INIT(DBUS_MESSAGE_MAX);
	uint32_t serial = ++b->serial;
	struct dbus_message m;
	const char *text = "";
	size_t at = 0;
	int r;

	dbus_call(&out, serial, t, signature, body);
	r = buf_fail(&out, "D-Bus message", e);
	if (r == 0 && body)
		r = buf_fail(body, "D-Bus message", e);
	if (r == 0)
		r = send_all(b, out.p, out.len, e);
	do {
		if (r == 0)
			r = next_message(b, end, &m, e);
		if (r < 0)
			return err_wrap(e, r, "%s", t->member);
		note_job(b, &m);
	} while ((m.type != DBUS_RETURN && m.type != DBUS_ERROR) || m.reply_serial != serial);
	if (m.type == DBUS_RETURN)
		return 0;
	if (*m.signature == 's')
		dbus_get_string(&m, &at, &text);
	if (name)
		snprintf(name, 128, "%s", m.error);
	return err_set(e, ERR_SYSTEM, "systemd: %s: %s", t->member, *text ? text : m.error);
}

int cgroup_bus_call(struct cgroup_bus *b, const char *member, const char *signature,
		    const struct buf *body, char *name, struct err *e)
{
	struct dbus_target t = {b->direct ? NULL : SYSTEMD, "/org/freedesktop/systemd1",
				SYSTEMD ".Manager", member};

	if (name)
		*name = '\0';
	return call(b, &t, signature, body, name, e);
}

int cgroup_bus_job(struct cgroup_bus *b, const char *unit, struct err *e)
{
	int64_t end = trace_now_ns() + LIMIT_NS;

	for (;;) {
		struct dbus_message m;
		int r;

		for (size_t i = 0; i < DONE_MAX; i++) {
			struct job j = b->done[i];

			if (!streq(j.unit, unit))
				continue;
			b->done[i].unit[0] = '\0';
			if (streq(j.result, "done"))
				return 0;
			return err_set(e, ERR_SYSTEM, "systemd: unit %s: %s", unit, j.result);
		}
		r = next_message(b, end, &m, e);
		if (r < 0)
			return err_wrap(e, r, "job of unit %s", unit);
		note_job(b, &m);
	}
}

/* On a bus: introduce ourselves, and have systemd's signals sent at all (Subscribe) and to us. */
static int greet(struct cgroup_bus *b, struct err *e)
{
	struct dbus_target hello = {"org.freedesktop.DBus", "/org/freedesktop/DBus",
				    "org.freedesktop.DBus", "Hello"};
	struct dbus_target match = hello;
	auto_buf struct buf body = BUF_INIT(4096);
	int r = call(b, &hello, NULL, NULL, NULL, e);

	match.member = "AddMatch";
	dbus_string(&body, "type='signal',sender='" SYSTEMD "',interface='" SYSTEMD
			   ".Manager',member='JobRemoved'");
	if (r == 0)
		r = call(b, &match, "s", &body, NULL, e);
	return r < 0 ? r : cgroup_bus_call(b, "Subscribe", NULL, NULL, NULL, e);
}

static bool is_private(const char *path)
{
	size_t n = strlen(path);

	return n > 8 && streq(path + n - 8, "/private");
}

int cgroup_bus_open(const char *path, struct cgroup_bus **bus, struct err *e)
{
	auto_cgroup_bus struct cgroup_bus *b = calloc(1, sizeof(*b));
	char user[64];
	int r;

	if (!b)
		abort();
	b->fd = -1;
	b->in = malloc(DBUS_MESSAGE_MAX);
	if (!b->in)
		abort();
	snprintf(user, sizeof(user), "/run/user/%u/bus", (unsigned int)geteuid());
	if (path) {
		b->fd = connect_to(path, e);
	} else if (geteuid() == 0) {
		path = "/run/systemd/private";
		b->fd = connect_to(path, NULL);
		if (b->fd < 0) {
			path = "/run/dbus/system_bus_socket";
			b->fd = connect_to(path, e);
		}
	} else {
		path = user;
		b->fd = connect_to(path, e);
	}
	if (b->fd < 0)
		return b->fd;
	b->direct = is_private(path);
	r = authenticate(b, e);
	if (r == 0 && !b->direct)
		r = greet(b, e);
	if (r < 0)
		return r;
	*bus = take_ptr(&b);
	return 0;
}

void cgroup_bus_close(struct cgroup_bus *b)
{
	if (!b)
		return;
	fd_close(b->fd);
	free(b->in);
	free(b);
}
