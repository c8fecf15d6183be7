/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_stat - one line of /proc/PID/stat.
 *
 * The name in parentheses is the workload's own choice and may hold parentheses, blanks and line
 * ends: what counts is the last parenthesis.  Source: proc(5), /proc/pid/stat.
 */
#ifndef FMT_PROC_STAT_H
#define FMT_PROC_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROC_STAT_COMM 64 /* the kernel's own tasks have names of up to 63 bytes */

struct proc_stat {
	char comm[PROC_STAT_COMM];
	char state; /* 'R', 'S', ... */
	int64_t ppid, tty, nice, threads;
	uint64_t user_ticks, system_ticks; /* of sysconf(_SC_CLK_TCK) */
	uint64_t start_ticks;		   /* since boot */
	uint64_t vsize_bytes, rss_pages;
};

/* False: not such a line; *out is untouched. */
bool proc_stat_parse(const char *text, size_t len, struct proc_stat *out);

#endif
