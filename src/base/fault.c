/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#ifdef CAISSON_FAULTS
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* File scope: a point knows nobody who could hand it a context. */
static const char *plan, *log_path;
static unsigned long passed;

void fault_setup(const char *new_plan, const char *log)
{
	plan = new_plan;
	log_path = log;
	passed = 0;
}

static void note(const char *name)
{
	int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, name, strlen(name)) < 0 || write(fd, "\n", 1) < 0)
		abort();
	close(fd);
}

/* What is to happen here now, or NULL. */
static const char *action(const char *name)
{
	size_t len = strlen(name);
	char *end;

	if (log_path)
		note(name);
	if (!plan || strncmp(plan, name, len) != 0 || plan[len] != ':')
		return NULL;
	if (++passed != strtoul(plan + len + 1, &end, 10) || *end != ':')
		return NULL;
	if (streq(end + 1, "kill")) {
		raise(SIGKILL);
		pause();
	}
	return end + 1;
}

int fault_point(const char *name)
{
	const char *what = action(name);

	if (!what)
		return 0;
	errno = streq(what, "error") ? EIO : ENOSPC;
	return -errno;
}

size_t fault_length(const char *name, size_t len)
{
	const char *what = action(name);

	return !what ? len : streq(what, "short") ? len / 2 : 0;
}
#else
/* A translation unit declares something. */
extern const int fault_compiled;
const int fault_compiled = 0;
#endif
