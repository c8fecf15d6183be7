/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/timearg.h"
#include "engine/logs.h"
#include "engine/lookup.h"
#include "fmt/json.h"
#include "fmt/logline.h"
#include "fmt/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct logs_args {
	bool details, follow, timestamps;
	const char *tail, *since, *until;
};

static const struct opt logs_opts[] = {
    OPT(struct logs_args, details, .name = "details", .type = OPT_BOOL,
	.help = "show what --log-opt labels, env and tag made each line carry"),
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

static int detail(const char *key, struct json *value, void *arg)
{
	const char *text = json_string(value);
	struct buf *b = arg;

	buf_puts(b, b->len ? "," : "");
	utf8_visible(b, key);
	buf_puts(b, "=");
	utf8_visible(b, text ? text : "");
	return 0;
}

/* "key=value,key=value ", as docker shows them. */
static void details(const struct logline *l, FILE *f)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	auto_json struct json *j = NULL;

	if (json_parse(l->attrs, l->attrs_len, "attrs", &j, NULL) == 0)
		json_each(j, detail, &b);
	fprintf(f, "%s ", b.p);
}

static int print(const struct logline *l, const char *text, size_t len, void *arg)
{
	const struct logs_args *a = arg;
	FILE *f = l->err ? stderr : stdout;

	if (a->timestamps)
		fprintf(f, "%.*s ", (int)l->time_len, l->time);
	if (a->details && l->attrs)
		details(l, f);
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
	r = timearg_parse("since", a.since, &q.since_ns, e);
	if (r == 0)
		r = timearg_parse("until", a.until, &q.until_ns, e);
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
