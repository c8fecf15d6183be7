/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/logs.h"
#include "engine/lookup.h"
#include "fmt/logline.h"
#include "fmt/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct logs_args {
	bool follow, timestamps;
	const char *tail, *since, *until;
};

static const struct opt logs_opts[] = {
    OPT(struct logs_args, follow, .name = "follow", .letter = 'f', .type = OPT_BOOL,
	.help = "go on until the instance ends"),
    OPT(struct logs_args, since, .name = "since", .type = OPT_STR, .arg = "TIME",
	.help = "from this time on: 2026-11-21T12:00:00Z, seconds, or 10m ago"),
    OPT(struct logs_args, tail, .name = "tail", .letter = 'n', .type = OPT_STR, .arg = "N",
	.preset = "all", .help = "only the last lines"),
    OPT(struct logs_args, timestamps, .name = "timestamps", .letter = 't', .type = OPT_BOOL,
	.help = "show when each line was written"),
    OPT(struct logs_args, until, .name = "until", .type = OPT_STR, .arg = "TIME",
	.help = "up to this time"),
    OPT_END,
};

/* RFC 3339, seconds since the epoch, or a duration before now. */
static int parse_time(const char *option, const char *s, int64_t *ns, struct err *e)
{
	struct timespec now;
	int64_t v;

	if (!s)
		return 0;
	if (timestamp_parse(s, ns))
		return 0;
	if (opt_parse_decimal(s, ns) == 0)
		return 0;
	if (opt_parse_duration(s, &v) < 0)
		return err_set(e, ERR_USAGE,
			       "--%s wants a time such as 2026-11-21T12:00:00Z or 10m, not '%s'",
			       option, s);
	clock_gettime(CLOCK_REALTIME, &now);
	*ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - v;
	return 0;
}

static int print(const struct logline *l, const char *text, size_t len, void *arg)
{
	const struct logs_args *a = arg;
	FILE *f = l->err ? stderr : stdout;

	if (a->timestamps)
		fprintf(f, "%.*s ", (int)l->time_len, l->time);
	fwrite(text, 1, len, f);
	/* A reader that follows sees a line when it is there. */
	if (a->follow)
		fflush(f);
	return ferror(f) ? -EPIPE : 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	struct logs_args a = *(const struct logs_args *)args;
	auto_arena struct arena arena = ARENA_INIT;
	struct logs_query q = {.tail = -1, .follow = a.follow, .wake_fd = -1};
	struct lookup l;
	char *end;
	int r;

	if (!streq(a.tail, "all")) {
		q.tail = strtoll(a.tail, &end, 10);
		if (*end || end == a.tail)
			return err_set(e, ERR_USAGE, "--tail wants a number or 'all', not '%s'",
				       a.tail);
		q.tail = q.tail < 0 ? -1 : q.tail;
	}
	r = parse_time("since", a.since, &q.since_ns, e);
	if (r == 0)
		r = parse_time("until", a.until, &q.until_ns, e);
	if (r == 0)
		r = lookup_find(s, argv[0], &arena, &l, e);
	if (r == 0)
		r = logs_read(s, &l.i, &q, print, &a, e);
	/* Our reader went away: not worth a message. */
	return r == -EPIPE ? 1 : r;
}

extern const struct cmd cmd_logs;
const struct cmd cmd_logs = {
    .name = "logs",
    .group = "instances",
    .operands = "INSTANCE",
    .summary = "show what an instance wrote",
    .opts = logs_opts,
    .args_size = sizeof(struct logs_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
