/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/template.h"
#include "cli/timearg.h"
#include "engine/eventlog.h"
#include "fmt/timestamp.h"
#include "fmt/utf8.h"
#include "spec/event.h"
#include "sys/fd.h"

#include <unistd.h>

struct events_args {
	const char *format, *since, *until;
	struct opt_list filter;
};

static const struct opt events_opts[] = {
    OPT(struct events_args, filter, .name = "filter", .letter = 'f', .type = OPT_LIST,
	.arg = "KEY=VALUE", .help = "only those for which this holds, such as event=die"),
    OPT(struct events_args, format, .name = "format", .type = OPT_STR, .arg = "TEMPLATE",
	.help = "json, or a template"),
    OPT(struct events_args, since, .name = "since", .type = OPT_STR, .arg = "TIME",
	.help = "also those from this time on: 2026-11-21T12:00:00Z, seconds, or 10m ago"),
    OPT(struct events_args, until, .name = "until", .type = OPT_STR, .arg = "TIME",
	.help = "end at this time"),
    OPT_END,
};

/* "2026-11-21T12:00:00.5Z container start ID (image=x, name=y)", as docker prints it. */
static void plain(const struct event *ev, struct buf *out)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	timestamp_print(ev->time_ns, &b);
	buf_printf(&b, " %s %s %s", ev->type, ev->action, ev->actor.id);
	for (size_t i = 0; i < ev->actor.attributes.n; i++)
		buf_printf(&b, "%s%s=%s", i ? ", " : " (", ev->actor.attributes.v[i].key,
			   ev->actor.attributes.v[i].value);
	buf_puts(&b, ev->actor.attributes.n ? ")" : "");
	/* Labels, names and commands are anybody's text. */
	utf8_visible(out, b.p);
	buf_puts(out, "\n");
}

static int show(const struct event *ev, const char *json, size_t len, void *arg)
{
	auto_buf struct buf out = BUF_INIT(4 << 20), row = BUF_INIT(1 << 20);
	const struct events_args *a = arg;
	struct err e = ERR_INIT;
	int r = 0;

	if (!a->format) {
		plain(ev, &out);
	} else if (streq(a->format, "json") || streq(a->format, "{{json .}}")) {
		buf_add(&out, json, len);
		buf_puts(&out, "\n");
	} else {
		buf_add(&row, json, len);
		r = template_row(a->format, &row, &out, &e);
	}
	/* Our reader went away: not worth a message. */
	return r < 0 ? r : fd_write_all(STDOUT_FILENO, out.p, out.len);
}

static int check_format(const char *format, struct err *e)
{
	auto_buf struct buf row = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);

	buf_puts(&row, "{}");
	return !format || streq(format, "json") ? 0 : template_row(format, &row, &out, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	struct events_args a = *(const struct events_args *)args;
	struct eventlog_query q = {.filters = {a.filter.v, a.filter.n}};
	int r = timearg_parse("since", a.since, &q.since_ns, e);

	if (r == 0)
		r = timearg_parse("until", a.until, &q.until_ns, e);
	if (r == 0)
		r = eventlog_check(&q.filters, e);
	if (r == 0)
		r = check_format(a.format, e);
	if (r == 0)
		r = eventlog_read(s, &q, show, &a, e);
	return r < 0 && e->kind == ERR_NONE ? 1 : r;
}

static const char *const aliases[] = {"system events", NULL};

extern const struct cmd cmd_events;
const struct cmd cmd_events = {
    .name = "events",
    .group = "system",
    .operands = "",
    .summary = "show what happens to instances and images",
    .opts = events_opts,
    .args_size = sizeof(struct events_args),
    .aliases = aliases,
    .run = run,
};
