/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/trace.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* The one mutable variable of this file: where events go, -1 when tracing is off. */
static int out_fd = -1;

static const char *const names[TRACE_PHASE_MAX_] = {
#define X(id, name) [TRACE_##id] = name,
    TRACE_PHASES(X)
#undef X
};

void trace_open(const char *path)
{
	if (path && *path)
		out_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

int trace_fd(void)
{
	return out_fd;
}

void trace_adopt(int fd)
{
	out_fd = fd;
}

int64_t trace_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void event(enum trace_phase p, const char *what)
{
	char line[96];
	int n;

	if (out_fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%" PRId64 " %d %s %s\n", trace_now_ns(), getpid(), what,
		     names[p]);
	if (write(out_fd, line, (size_t)n) != n)
		out_fd = -1; /* a full disk must not disturb what is measured */
}

void trace_begin(enum trace_phase p)
{
	event(p, "begin");
}

void trace_end(enum trace_phase p)
{
	event(p, "end");
}

void trace_mark(enum trace_phase p)
{
	event(p, "mark");
}
