/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/proclist.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "fmt/proc_stat.h"
#include "runtime/cgroup.h"
#include "spec/top.h"
#include "sys/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>

/* A process's members with their names take some 230 bytes, and each byte of text may become six
 * in JSON. */
#define FIXED	 300u
#define ARGS_MAX 4096u

static int64_t now_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* At most max bytes of the command line, its zero bytes as blanks. */
static const char *command_line(const char *path, size_t max, struct arena *a)
{
	char text[ARGS_MAX];
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, max < ARGS_MAX ? max : ARGS_MAX);

	while (n > 0 && !text[n - 1])
		n--;
	if (n <= 0)
		return "";
	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	return arena_dupn(a, text, (size_t)n);
}

/* False: it has ended meanwhile. */
static bool fill(pid_t pid, size_t args_max, struct arena *a, struct top_process *out)
{
	int64_t hz = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
	int64_t boot = now_ms(CLOCK_REALTIME) - now_ms(CLOCK_BOOTTIME);
	auto_free char *text = NULL;
	struct proc_stat s;
	struct stat owner;
	char path[48];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = file_read(AT_FDCWD, path, 4096, &text);
	if (n < 0 || !proc_stat_parse(text, (size_t)n, &s) || stat(path, &owner) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	*out = (struct top_process){
	    .pid = pid,
	    .ppid = s.ppid,
	    .uid = owner.st_uid,
	    .state = arena_dupn(a, &s.state, 1),
	    .tty = s.tty,
	    .nice = s.nice,
	    .threads = s.threads,
	    .cpu_ms = (int64_t)(s.user_ticks + s.system_ticks) * 1000 / hz,
	    .started_ms = boot + (int64_t)s.start_ticks * 1000 / hz,
	    .vsize_bytes = s.vsize_bytes,
	    .rss_bytes = s.rss_pages * (uint64_t)page,
	    .comm = arena_dup(a, s.comm),
	    .args = command_line(path, args_max, a),
	};
	return true;
}

int proclist_write(const struct cgroup *cg, struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_free pid_t *pids = NULL;
	struct top_list list = {0};
	struct sysinfo si;
	ssize_t n = cgroup_pids(cg, &pids, e);
	size_t most = PROCLIST_MAX / (FIXED + 6 * PROC_STAT_COMM), room;

	if (n < 0)
		return (int)n;
	if ((size_t)n > most)
		n = (ssize_t)most;
	room = n ? (PROCLIST_MAX / (size_t)n - FIXED - 6 * PROC_STAT_COMM) / 6 : 0;
	if (sysinfo(&si) == 0)
		list.memory_bytes = (uint64_t)si.totalram * si.mem_unit;
	list.processes.v = arena_array(&a, (size_t)n + 1, sizeof(*list.processes.v));
	for (ssize_t i = 0; i < n; i++)
		if (fill(pids[i], room, &a, &list.processes.v[list.processes.n]))
			list.processes.n++;
	jbind_write(&top_table, &list, out);
	return 0;
}
