/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/standing.h"
#include "base/auto.h"
#include "base/buf.h"
#include "runtime/cgroup.h"
#include "sys/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define SCORE "/proc/self/oom_score_adj"
/* Not -1000, which is never: what has gone wrong in a monitor must have an end, too. */
#define LAST "-999"

void standing_apart(const char *run_root)
{
	auto_buf struct buf v2 = BUF_INIT(PATH_MAX);
	auto_fd int run = -1;

	cgroup_aside(&v2);
	if (!v2.len || v2.failed)
		return;
	run = open(run_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (run >= 0)
		file_replace(run, "monitors", v2.p, v2.len, 0600, FILE_LAZY);
}

void standing_last(struct jbind_optint *was)
{
	auto_free char *text = NULL;

	if (file_read(AT_FDCWD, SCORE, 64, &text) <= 0 || file_put(AT_FDCWD, SCORE, LAST) < 0)
		return;
	was->v = strtol(text, NULL, 10);
	was->set = true;
}

void standing_usual(const struct jbind_optint *was)
{
	char text[16];

	if (!was->set)
		return;
	snprintf(text, sizeof(text), "%d", (int)was->v);
	file_put(AT_FDCWD, SCORE, text);
}
