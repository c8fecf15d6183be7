/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocilog.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/json.h"
#include "oci/ocicmd.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The civil date of a day number (days since 1970-01-01), Gregorian, by Hinnant's method.
 * gmtime_r() would read /etc/localtime for it: five system calls. */
static void civil(long days, int *year, int *month, int *day)
{
	const long z = days + 719468, era = z / 146097, doe = z - era * 146097;
	const long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	const long doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

void ocilog_time(const struct timespec *ts, char *out, size_t size)
{
	const long s = ts->tv_sec % 86400;
	int y, m, d;

	civil(ts->tv_sec / 86400, &y, &m, &d);
	snprintf(out, size, "%04d-%02d-%02dT%02ld:%02ld:%02ld.%09ldZ", y, m, d, s / 3600,
		 s / 60 % 60, s % 60, ts->tv_nsec);
}

static void line(int json, const char *level, const char *msg, struct buf *b)
{
	struct timespec ts;
	char when[48];

	clock_gettime(CLOCK_REALTIME, &ts);
	ocilog_time(&ts, when, sizeof(when));
	if (json) {
		buf_printf(b, "{\"level\":\"%s\",\"msg\":", level);
		json_quote(b, msg);
		buf_printf(b, ",\"time\":\"%s\"}\n", when);
	} else {
		buf_printf(b, "time=\"%s\" level=%s msg=", when, level);
		json_quote(b, msg);
		buf_puts(b, "\n");
	}
}

static void emit(const struct ocicmd_globals *g, const char *level, const char *msg)
{
	auto_buf struct buf b = BUF_INIT(8192);
	auto_fd int fd = -1;

	line(g->log_format, level, msg, &b);
	if (g->log)
		fd = open(g->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	fd_write_all(fd >= 0 ? fd : 2, b.p, b.len);
}

void ocilog_error(const struct ocicmd_globals *g, const struct err *e)
{
	emit(g, "error", e->msg);
	/* As runc: with a log the plain text goes to stderr too. */
	if (g->log) {
		fd_write_all(2, e->msg, strlen(e->msg));
		fd_write_all(2, "\n", 1);
	}
}

void ocilog_warn(const struct ocicmd_globals *g, const char *fmt, ...)
{
	char msg[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	emit(g, "warning", msg);
}

void ocilog_debug(const struct ocicmd_globals *g, const char *fmt, ...)
{
	char msg[1024];
	va_list ap;

	if (!g->debug)
		return;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	emit(g, "debug", msg);
}
