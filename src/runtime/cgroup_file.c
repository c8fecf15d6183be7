/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup_int.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

int cgroup_file_put(int dir, const char *file, struct err *e, const char *fmt, ...)
{
	char value[1024];
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(value))
		return err_set(e, ERR_LIMIT, "cgroup: value of %s is too long", file);
	r = file_put(dir, file, value);
	if (r == -ENOENT)
		return err_set(e, ERR_UNSUPPORTED, "cgroup: this kernel has no %s here", file);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "cgroup: write '%.64s' to %s", value, file);
	}
	return 0;
}

ssize_t cgroup_file_read(int dir, const char *file, char *buf, size_t size)
{
	auto_fd int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = fd_read_full(fd, buf, size - 1);
	if (n < 0)
		return n;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

static int number(const char *s, uint64_t *out)
{
	char *end;
	uint64_t v;

	if (str_after(s, "max")) {
		*out = UINT64_MAX;
		return 0;
	}
	if (*s < '0' || *s > '9')
		return -ENODATA;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno)
		return -errno;
	*out = v;
	return 0;
}

int cgroup_file_u64(int dir, const char *file, uint64_t *out)
{
	char text[64];
	ssize_t n = cgroup_file_read(dir, file, text, sizeof(text));

	return n < 0 ? (int)n : number(text, out);
}

int cgroup_file_key(int dir, const char *file, const char *key, uint64_t *out)
{
	char text[16384], *p = text;
	size_t len = strlen(key);
	ssize_t n = cgroup_file_read(dir, file, text, sizeof(text));

	if (n < 0)
		return (int)n;
	while (p && *p) {
		if (strncmp(p, key, len) == 0 && p[len] == ' ')
			return number(p + len + 1, out);
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return -ENODATA;
}

bool cgroup_file_exists(int dir, const char *file)
{
	return faccessat(dir, file, F_OK, 0) == 0;
}

int cgroup_file_cpuset(int dir, const struct plan_cpu *c, struct err *e)
{
	int r = 0;

	if ((c->cpus && !cgroup_convert_cpus(c->cpus)) ||
	    (c->mems && !cgroup_convert_cpus(c->mems)))
		return err_set(e, ERR_USAGE,
			       "cpu: expected a list such as 0-3,7 for cpus and mems");
	if (c->cpus && *c->cpus)
		r = cgroup_file_put(dir, "cpuset.cpus", e, "%s", c->cpus);
	if (r == 0 && c->mems && *c->mems)
		r = cgroup_file_put(dir, "cpuset.mems", e, "%s", c->mems);
	return r;
}
