/* SPDX-License-Identifier: Apache-2.0 */
/* Against a bus of our own, which looks at every byte it is sent: there is no systemd in a test. */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/test.h"
#include "fmt/dbus.h"
#include "runtime/cgroup_bus.h"
#include "runtime/cgroup_int.h"
#include "runtime/cgroup_property.h"
#include "spec/plan.h"
#include "sys/fd.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct err e;

/* ---- the other end ---- */

static void put_field_string(struct buf *b, uint8_t code, const char *type, const char *s)
{
	dbus_align(b, 8);
	dbus_u8(b, code);
	dbus_signature(b, type);
	if (*type == 'g')
		dbus_signature(b, s);
	else
		dbus_string(b, s);
}

static void answer(int fd, uint8_t type, uint32_t reply_to, const char *member, const char *sig,
		   const struct buf *body)
{
	auto_buf struct buf b = BUF_INIT(65536);
	size_t at;

	buf_add(&b, "l", 1);
	dbus_u8(&b, type);
	buf_add(&b, "\0\1", 2);
	dbus_u32(&b, body ? (uint32_t)body->len : 0);
	dbus_u32(&b, 77);
	at = dbus_array(&b, 8);
	if (reply_to) {
		dbus_align(&b, 8);
		dbus_u8(&b, 5);
		dbus_signature(&b, "u");
		dbus_u32(&b, reply_to);
	}
	if (type == DBUS_SIGNAL)
		put_field_string(&b, 3, "s", member);
	if (type == DBUS_ERROR)
		put_field_string(&b, 4, "s", member);
	if (sig)
		put_field_string(&b, 8, "g", sig);
	dbus_array_end(&b, at, 8);
	dbus_align(&b, 8);
	if (body)
		buf_add(&b, body->p, body->len);
	fd_write_all(fd, b.p, b.len);
}

static void job_removed(int fd, const char *unit, const char *result)
{
	auto_buf struct buf body = BUF_INIT(4096);

	dbus_u32(&body, 5);
	dbus_string(&body, "/org/freedesktop/systemd1/job/5");
	dbus_string(&body, unit);
	dbus_string(&body, result);
	answer(fd, DBUS_SIGNAL, 0, "JobRemoved", "uoss", &body);
}

static bool contains(const struct dbus_message *m, const char *text)
{
	return memmem(m->body, m->body_len, text, strlen(text) + 1) != NULL;
}

/* The server's script: what it saw goes into its exit code, as bits. */
enum {
	SAW_HELLO = 1,
	SAW_SUBSCRIBE = 2,
	SAW_START = 4,
	SAW_RESET = 8,
	SAW_SET = 16,
	SAW_STOP = 32,
	SAW_BAD = 64,
};

static int serve_one(int fd, const struct dbus_message *m, int saw, int *fail_first)
{
	auto_buf struct buf body = BUF_INIT(4096);
	const char *unit = "";
	size_t at = 0;

	if (streq(m->member, "StartTransientUnit")) {
		dbus_get_string(m, &at, &unit);
		if (*fail_first) {
			*fail_first = 0;
			dbus_string(&body, "Unit exists.");
			answer(fd, DBUS_ERROR, m->serial, "org.freedesktop.systemd1.UnitExists",
			       "s", &body);
			return saw;
		}
		if (!streq(m->signature, "ssa(sv)a(sa(sv))") || !streq(unit, "cri-x.scope") ||
		    !contains(m, "t.slice") || !contains(m, "PIDs") || !contains(m, "TasksMax") ||
		    !contains(m, "Delegate") || !contains(m, "/dev/char/1:3") ||
		    !contains(m, "TimeoutStopUSec"))
			return saw | SAW_BAD;
		/* Before the reply: the job may be that quick. */
		job_removed(fd, "other.scope", "failed");
		job_removed(fd, unit, "done");
		dbus_string(&body, "/job/5");
		answer(fd, DBUS_RETURN, m->serial, NULL, "o", &body);
		return saw | SAW_START;
	}
	if (streq(m->member, "StopUnit")) {
		dbus_get_string(m, &at, &unit);
		answer(fd, DBUS_RETURN, m->serial, NULL, NULL, NULL);
		job_removed(fd, unit, "done");
		return saw | SAW_STOP;
	}
	answer(fd, DBUS_RETURN, m->serial, NULL, NULL, NULL);
	if (streq(m->member, "Hello"))
		return saw | SAW_HELLO;
	if (streq(m->member, "Subscribe"))
		return saw | SAW_SUBSCRIBE;
	if (streq(m->member, "ResetFailedUnit"))
		return saw | SAW_RESET;
	if (streq(m->member, "SetUnitProperties"))
		return saw | (streq(m->signature, "sba(sv)") ? SAW_SET : SAW_BAD);
	return saw;
}

static int serve(int fd, int saw, int *fail_first)
{
	static unsigned char in[65536];
	size_t have = 0;
	ssize_t n;

	/* NUL and AUTH EXTERNAL with our uid in hex, and BEGIN, but no message before our answer.
	 */
	n = read(fd, in, sizeof(in));
	if (n < 26 || in[0] != 0 || memcmp(in + 1, "AUTH EXTERNAL 3", 15) != 0 ||
	    memcmp(in + n - 9, "\r\nBEGIN\r\n", 9) != 0)
		return saw | SAW_BAD;
	fd_write_all(fd, "OK 0123456789abcdef\r\n", 21);
	while ((n = read(fd, in + have, sizeof(in) - have)) > 0) {
		size_t used = 0;
		int64_t len;

		have += (size_t)n;
		while ((len = dbus_length(in + used, have - used)) > 0 &&
		       (uint64_t)len <= have - used) {
			struct dbus_message m;

			if (dbus_parse(in + used, (size_t)len, &m, NULL) < 0)
				return saw | SAW_BAD;
			used += (size_t)len;
			saw = serve_one(fd, &m, saw, fail_first);
		}
		memmove(in, in + used, have - used);
		have -= used;
	}
	return saw;
}

/* Listens before it returns; serves n connections in a child. */
static pid_t start_bus(const char *path, int n, int fail_first)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), saw = 0;
	pid_t pid;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 4) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		alarm(20);
		while (n-- > 0) {
			int c = accept(fd, NULL, NULL);

			saw = serve(c, saw, &fail_first);
			close(c);
		}
		_exit(saw);
	}
	close(fd);
	return pid;
}

static struct jbind_optint num(int64_t v)
{
	return (struct jbind_optint){.set = true, .v = v};
}

TEST(unit_is_started_changed_stopped)
{
	struct plan_pids p = {.limit = num(17)};
	struct plan_device_rule rule = {.allow = false};
	struct plan_resources r = {.pids = &p, .devices = {&rule, 1}};
	struct jbind_pair pair = {"org.systemd.property.TimeoutStopUSec", "uint64 123"};
	struct jbind_map notes = {&pair, 1};
	struct cgroup_request rq = {.id = "x", .resources = &r, .annotations = &notes};
	struct cgroup cg = {.driver = CGROUP_SYSTEMD, .unit = "cri-x.scope", .slice = "t.slice"};
	char dir[] = "/tmp/caisson-test-XXXXXX", path[64];
	int status;
	pid_t pid, keeper;

	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/bus", dir);
	pid = start_bus(path, 3, 1);
	CHECK(pid > 0);
	rq.bus = cg.bus = path;
	CHECK_INT(cgroup_systemd_start(&cg, &rq, &e), 0);
	keeper = cg.keeper;
	CHECK(keeper > 0);
	CHECK_INT(kill(keeper, 0), 0);
	CHECK_INT(cgroup_systemd_update(&cg, &r, &e), 0);
	CHECK_INT(cgroup_systemd_stop(&cg, &e), 0);
	CHECK_INT(cg.keeper, 0);
	CHECK_INT(kill(keeper, 0), -1);
	waitpid(pid, &status, 0);
	CHECK_INT(WEXITSTATUS(status),
		  SAW_HELLO | SAW_SUBSCRIBE | SAW_START | SAW_RESET | SAW_SET | SAW_STOP);
	unlink(path);
	rmdir(dir);
}

TEST(no_systemd_is_said)
{
	struct cgroup_request rq = {.id = "x"};
	struct cgroup cg = {.unit = "a.scope", .slice = "t.slice"};

	if (access("/run/systemd/system", F_OK) == 0)
		SKIP("systemd runs here");
	CHECK_INT(cgroup_systemd_start(&cg, &rq, &e), -EOPNOTSUPP);
	CHECK(strstr(e.msg, "systemd is not running"));
	rq.bus = "/nonexistent/bus";
	CHECK_INT(cgroup_systemd_start(&cg, &rq, &e), -EOPNOTSUPP);
}

TEST(annotations)
{
	static const struct {
		const char *key, *value;
		int want;
	} c[] = {{"org.systemd.property.CollectMode", "'inactive'", 0},
		 {"org.systemd.property.After", "['a.service', 'b.service']", 0},
		 {"org.systemd.property.After", "[]", 0},
		 {"org.systemd.property.After", "['a.service'", -EINVAL},
		 {"org.systemd.property.SendSIGHUP", "true", 0},
		 {"org.systemd.property.SendSIGHUP", "1", -EINVAL},
		 {"org.systemd.property.KillSignal", "int32 9", 0},
		 {"org.systemd.property.KillSignal", "99999999999", -EINVAL},
		 {"org.systemd.property.ExecStart", "'/bin/sh'", -EINVAL},
		 {"org.systemd.property.Description", "'a' 'b'", -EINVAL},
		 {"something.else", "x", 0}};

	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		auto_buf struct buf b = BUF_INIT(4096);
		struct jbind_pair p = {c[i].key, c[i].value};
		struct jbind_map m = {&p, 1};

		if (cgroup_property_annotations(&b, &m, &e) != c[i].want)
			printf("# %s\n", c[i].value);
		CHECK_INT(cgroup_property_annotations(&b, &m, &e), c[i].want);
	}
}

TEST(masks)
{
	unsigned char mask[128];
	size_t len;

	CHECK_INT(cgroup_property_mask("0-2,9", mask, &len, &e), 0);
	CHECK_INT(len, 2);
	CHECK_INT(mask[0], 7);
	CHECK_INT(mask[1], 2);
	CHECK(cgroup_property_mask("2-1", mask, &len, &e) < 0);
	CHECK(cgroup_property_mask("5000", mask, &len, &e) < 0);
	CHECK(cgroup_property_mask("1-", mask, &len, &e) < 0);
}

TEST_MAIN(T(unit_is_started_changed_stopped), T(no_systemd_is_said), T(annotations), T(masks))
