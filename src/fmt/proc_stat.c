/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/proc_stat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Numbers as they stand behind the name; state is field 3, the first here field 4. */
enum {
	PPID = 0,
	TTY = 3,
	UTIME = 10,
	STIME = 11,
	NICE = 15,
	THREADS = 16,
	START = 18,
	VSIZE = 19,
	RSS = 20,
	FIELDS,
};

/* Fields are unsigned or signed; both fit here, because what wraps comes back by the same cast. */
static bool numbers(const char *p, const char *end, int64_t v[FIELDS])
{
	for (int i = 0; i < FIELDS; i++) {
		char one[24], *stop;
		size_t n;

		while (p < end && *p == ' ')
			p++;
		n = 0;
		while (p + n < end && p[n] != ' ' && p[n] != '\n')
			n++;
		if (!n || n >= sizeof(one))
			return false;
		memcpy(one, p, n);
		one[n] = '\0';
		errno = 0;
		v[i] = *one == '-' ? strtoll(one, &stop, 10) : (int64_t)strtoull(one, &stop, 10);
		if (*stop || errno)
			return false;
		p += n;
	}
	return true;
}

bool proc_stat_parse(const char *text, size_t len, struct proc_stat *out)
{
	const char *open = memchr(text, '(', len), *close = memrchr(text, ')', len);
	struct proc_stat s = {0};
	int64_t v[FIELDS];
	size_t n;

	if (!open || !close || close < open || text + len - close < 4 || close[1] != ' ')
		return false;
	n = (size_t)(close - open) - 1;
	if (n >= PROC_STAT_COMM || memchr(open + 1, '\0', n))
		return false;
	if (!numbers(close + 3, text + len, v))
		return false;
	memcpy(s.comm, open + 1, n);
	s.state = close[2];
	s.ppid = v[PPID];
	s.tty = v[TTY];
	s.user_ticks = (uint64_t)v[UTIME];
	s.system_ticks = (uint64_t)v[STIME];
	s.nice = v[NICE];
	s.threads = v[THREADS];
	s.start_ticks = (uint64_t)v[START];
	s.vsize_bytes = (uint64_t)v[VSIZE];
	s.rss_pages = (uint64_t)v[RSS];
	*out = s;
	return true;
}
