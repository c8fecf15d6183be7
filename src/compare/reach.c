/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/reach.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/cbpf.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Numbers of the x86-64 table: 0 to 334 (pidfd_send_signal and on come after a gap), and 424 to the
 * last one the headers of this build know. */
#define FIRST_GAP 335
#define AFTER_GAP 424
#define LAST	  __NR_set_mempolicy_home_node

struct filter {
	struct sock_filter *v;
	size_t n;
};

static bool allowed(const struct filter *f, size_t n, int nr, uint64_t arg)
{
	struct seccomp_data d = {.nr = nr, .arch = AUDIT_ARCH_X86_64};

	for (int i = 0; i < 6; i++)
		d.args[i] = arg;
	for (size_t i = 0; i < n; i++) {
		uint32_t r = cbpf_run(f[i].v, f[i].n, &d) & SECCOMP_RET_ACTION_FULL;

		if (r != SECCOMP_RET_ALLOW && r != SECCOMP_RET_LOG)
			return false;
	}
	return true;
}

#define FILTERS_MAX 16

static bool has_filters(pid_t pid)
{
	auto_free char *text = NULL;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%d/status", pid);
	return file_read(AT_FDCWD, name, 1 << 16, &text) < 0 || strstr(text, "\nSeccomp:\t2");
}

/* The process is stopped under ptrace. */
static int fetch(pid_t pid, struct arena *a, struct filter *f, size_t *n, struct err *e)
{
	for (*n = 0; *n < FILTERS_MAX; ++*n) {
		long len = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, *n, NULL);

		if (len < 0 && errno == ENOENT)
			return 0;
		/* EINVAL for a process without any filter, and from a kernel that gives none. */
		if (len < 0 && errno == EINVAL && *n == 0 && !has_filters(pid))
			return 0;
		if (len < 0)
			return err_set(e, ERR_UNSUPPORTED,
				       "the kernel does not give the filters of process %d: %s",
				       pid, strerror(errno));
		f[*n].v = arena_array(a, (size_t)len, sizeof(*f->v));
		f[*n].n = (size_t)len;
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, *n, f[*n].v) != len)
			return err_sys(e, "filter %zu of process %d", *n, pid);
	}
	return err_set(e, ERR_LIMIT, "process %d has more than %d filters", pid, FILTERS_MAX);
}

static int stop(pid_t pid, struct err *e)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return err_sys(e, "trace process %d", pid);
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid)
		return err_sys(e, "stop process %d", pid);
	if (!WIFSTOPPED(status))
		return err_set(e, ERR_NOT_FOUND, "process %d has ended", pid);
	return 0;
}

int reach_of(pid_t pid, struct reach *out, struct err *e)
{
#ifdef __x86_64__
	auto_arena struct arena a = ARENA_INIT;
	struct filter f[FILTERS_MAX];
	struct reach got = {0};
	size_t n = 0;
	int r = stop(pid, e);

	if (r < 0)
		return r;
	r = fetch(pid, &a, f, &n, e);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	if (r < 0)
		return r;
	for (int nr = 0; nr <= LAST; nr++) {
		if (nr >= FIRST_GAP && nr < AFTER_GAP)
			continue;
		got.known++;
		got.lets[nr] = allowed(f, n, nr, 0) || allowed(f, n, nr, ~0ull);
		got.allowed += got.lets[nr];
	}
	got.filters = (unsigned int)n;
	*out = got;
	return 0;
#else
	return err_set(e, ERR_UNSUPPORTED, "system calls are counted on x86-64 only");
#endif
}
