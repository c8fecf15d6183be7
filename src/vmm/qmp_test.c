/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "vmm/qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int kind(const char *s, struct err *e)
{
	return qmp_classify(s, strlen(s), e);
}

TEST(tells_the_kinds_apart)
{
	struct err e = ERR_INIT;

	CHECK_INT(kind("{\"QMP\":{\"version\":{},\"capabilities\":[]}}", &e), QMP_GREETING);
	CHECK_INT(kind("{\"event\":\"STOP\",\"timestamp\":{}}", &e), QMP_EVENT);
	CHECK_INT(kind("{\"return\":{}}", &e), QMP_RETURN);
	CHECK_INT(kind("{\"error\":{\"class\":\"GenericError\",\"desc\":\"no\\u001b[2J\"}}", &e),
		  QMP_ERROR);
	CHECK_STR(e.msg, "QEMU: no [2J");
	CHECK(kind("[]", &e) < 0);
	CHECK(kind("{}", &e) < 0);
	CHECK(kind("nonsense", &e) < 0);
}

/* A pair whose far end has said everything beforehand. */
static struct qmp said(const char *text, int *far)
{
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
		abort();
	if (write(p[1], text, strlen(text)) < 0)
		abort();
	*far = p[1];
	return (struct qmp){.fd = p[0]};
}

TEST(negotiates_once_and_skips_events)
{
	struct err e = ERR_INIT;
	char got[256] = {0};
	int far;
	struct qmp q = said("{\"QMP\":{}}\r\n{\"return\":{}}\r\n{\"event\":\"STOP\"}\r\n"
			    "{\"return\":{}}\r\n{\"error\":{\"desc\":\"no\"}}\r\n",
			    &far);

	CHECK_INT(qmp_command(&q, "stop", NULL, 1000, &e), 0);
	CHECK_INT(qmp_command(&q, "cont", "{}", 1000, &e), -EIO);
	CHECK_STR(e.msg, "QEMU: no");
	CHECK(read(far, got, sizeof(got) - 1) > 0);
	CHECK_STR(got, "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"stop\"}\n"
		       "{\"execute\":\"cont\",\"arguments\":{}}\n");
	close(far);
	qmp_done(&q);
}

TEST(what_was_queued_is_answered_first)
{
	struct err e = ERR_INIT;
	char got[512] = {0}, status[8];
	int far;
	struct qmp q = said("{\"QMP\":{}}\r\n{\"return\":{}}\r\n{\"error\":{\"desc\":\"no\"}}\r\n"
			    "{\"return\":{\"status\":\"comp\\u0007leted\"}}\r\n{\"return\":{}}\r\n",
			    &far);

	CHECK_INT(qmp_queue(&q, "first", NULL, &e), 0);
	CHECK(read(far, got, sizeof(got) - 1) > 0);
	CHECK_STR(got, "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"first\"}\n");
	CHECK_INT(qmp_query(&q, "query-migrate", "status", status, sizeof(status), 1000, &e), 0);
	CHECK_STR(status, "comp?le"); /* as much as there is room for */
	CHECK_INT(qmp_query(&q, "query-migrate", "status", status, sizeof(status), 1000, &e), 0);
	CHECK_STR(status, "");
	close(far);
	qmp_done(&q);
}

TEST(silence_and_endless_lines_are_errors)
{
	struct err e = ERR_INIT;
	static char junk[2 * QMP_LINE_MAX + 1];
	int far;
	struct qmp q = said("{\"QMP\":{}}\r\n", &far);

	CHECK_INT(qmp_command(&q, "stop", NULL, 20, &e), -ETIMEDOUT);
	close(far);
	CHECK(qmp_command(&q, "stop", NULL, 20, &e) < 0);
	qmp_done(&q);
	memset(junk, 'x', sizeof(junk) - 1);
	q = said(junk, &far);
	CHECK_INT(qmp_command(&q, "stop", NULL, 1000, &e), -EBADMSG);
	close(far);
	qmp_done(&q);
}

TEST_MAIN(T(tells_the_kinds_apart), T(negotiates_once_and_skips_events),
	  T(what_was_queued_is_answered_first), T(silence_and_endless_lines_are_errors))
