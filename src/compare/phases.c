/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/phases.h"
#include "base/auto.h"
#include "base/str.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const names[TRACE_PHASE_MAX_] = {
#define X(id, name) [TRACE_##id] = name,
    TRACE_PHASES(X)
#undef X
};

void phases_parse(struct report *r, enum report_subject s, const char *text)
{
	int64_t begin[TRACE_PHASE_MAX_] = {0}, end[TRACE_PHASE_MAX_] = {0};
	char what[8], name[32];
	int64_t at, first = 0;

	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		if (sscanf(text, "%" SCNd64 " %*d %7s %31s", &at, what, name) != 3)
			continue;
		if (!first || at < first)
			first = at;
		for (int p = 0; p < TRACE_PHASE_MAX_; p++) {
			if (!streq(name, names[p]))
				continue;
			if (streq(what, "begin") && (!begin[p] || at < begin[p]))
				begin[p] = at;
			else if (streq(what, "end") && at > end[p])
				end[p] = at;
		}
	}
	for (unsigned int p = 0; p < TRACE_PHASE_MAX_; p++)
		if (begin[p] && end[p] >= begin[p]) {
			report_add(r, REPORT_PHASES + p, s, (double)(end[p] - begin[p]));
			report_add(r, REPORT_BEGINS + p, s, (double)(begin[p] - first));
		}
}

void phases_collect(struct report *r, enum report_subject s, const char *file)
{
	auto_free char *text = NULL;

	if (file_read(AT_FDCWD, file, 1 << 20, &text) >= 0)
		phases_parse(r, s, text);
}
