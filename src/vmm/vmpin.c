/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vmpin.h"
#include "base/auto.h"
#include "base/str.h"
#include "fmt/cpulist.h"
#include "sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "CPU 3/TCG" or "CPU 3/KVM": the number, or -1.  A guest that has taken QEMU over can name its
 * threads as it likes; all it gains is another CPU of its own set. */
static int cpu_of(int tasks, const char *tid)
{
	auto_free char *file = NULL, *name = NULL;
	char *end;
	long n;

	if (asprintf(&file, "%s/comm", tid) < 0)
		abort();
	if (file_read(tasks, file, 64, &name) <= 0 || !str_after(name, "CPU "))
		return -1;
	n = strtol(name + 4, &end, 10);
	return *end == '/' && n >= 0 && n < CPU_SETSIZE ? (int)n : -1;
}

int vmpin_set(pid_t pid, uint32_t cpus, const char *list)
{
	auto_free char *path = NULL;
	unsigned char mask[CPU_SETSIZE / 8] = {0};
	cpu_set_t all, one;
	int where[CPU_SETSIZE], count = 0, pinned = 0, r = 0;
	DIR *d;

	CPU_ZERO(&all);
	if (cpulist_parse(list, mask, sizeof(mask)) < 0)
		return -EINVAL;
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (mask[i / 8] & 1u << i % 8) {
			CPU_SET(i, &all);
			where[count++] = i;
		}
	if (asprintf(&path, "/proc/%d/task", (int)pid) < 0)
		abort();
	d = opendir(path);
	if (!d)
		return -errno;
	for (const struct dirent *de; r == 0 && (de = readdir(d));) {
		int n = de->d_name[0] == '.' ? -1 : cpu_of(dirfd(d), de->d_name);

		if (n < 0)
			continue;
		one = all;
		if (count >= (int)cpus && n < count) {
			CPU_ZERO(&one);
			CPU_SET(where[n], &one);
			pinned++;
		}
		if (sched_setaffinity((pid_t)strtol(de->d_name, NULL, 10), sizeof(one), &one) < 0)
			r = -errno;
	}
	closedir(d);
	return r < 0 ? r : pinned;
}
