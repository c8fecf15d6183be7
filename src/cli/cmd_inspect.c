/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "cli/template.h"
#include "engine/describe.h"
#include "engine/lookup.h"
#include "fmt/json.h"
#include "fmt/utf8.h"
#include "sys/fd.h"

#include <stdio.h>
#include <unistd.h>

struct inspect_args {
	const char *format;
};

static const struct opt inspect_opts[] = {
    OPT(struct inspect_args, format, .name = "format", .letter = 'f', .type = OPT_STR,
	.arg = "TEMPLATE", .help = "json, or a template filled for each"),
    OPT_END,
};

/* Indented by four blanks, as docker prints it; our own compact text has no blanks outside
 * strings. */
static void indent(const char *p, int depth, struct buf *out)
{
	bool in_string = false;

	for (; *p; p++) {
		bool empty = (*p == '{' && p[1] == '}') || (*p == '[' && p[1] == ']');

		if (in_string) {
			buf_add(out, p, 1);
			if (*p == '\\')
				buf_add(out, ++p, 1);
			else if (*p == '"')
				in_string = false;
		} else if (empty) {
			buf_add(out, p++, 2);
		} else if (*p == '{' || *p == '[') {
			buf_printf(out, "%c\n%*s", *p, ++depth * 4, "");
		} else if (*p == '}' || *p == ']') {
			buf_printf(out, "\n%*s%c", --depth * 4, "", *p);
		} else if (*p == ',') {
			buf_printf(out, ",\n%*s", depth * 4, "");
		} else if (*p == ':') {
			buf_puts(out, ": ");
		} else {
			in_string = *p == '"';
			buf_add(out, p, 1);
		}
	}
}

/* Labels, commands and variables are an image's to choose: on a terminal their control characters
 * are shown and not obeyed.  A program that reads gets the bytes. */
static void show(char *text, struct buf *out)
{
	bool screen = isatty(STDOUT_FILENO);

	for (char *p = text; screen && *p;) {
		size_t n = strcspn(p, "\n\t");
		char end = p[n];

		p[n] = '\0';
		utf8_visible(out, p);
		buf_add(out, &end, end != '\0');
		p += n + (end != '\0');
	}
	if (!screen)
		buf_puts(out, text);
	buf_puts(out, "\n");
}

static int one(struct session *s, const char *what, const char *format, bool first, struct buf *out,
	       struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(8 << 20);
	auto_buf struct buf filled = BUF_INIT(8 << 20);
	auto_json struct json *j = NULL;
	struct lookup l;
	int r = lookup_find(s, what, &a, &l, e);

	if (r == 0)
		r = describe_inspect(s, &l, &text, e);
	if (r < 0)
		return r;
	if (!format) {
		buf_puts(out, first ? "[\n    " : ",\n    ");
		indent(text.p, 1, out);
		return 0;
	}
	if (streq(format, "json")) {
		buf_printf(out, "%s\n", text.p);
		return 0;
	}
	r = json_parse(text.p, text.len, "description", &j, e);
	if (r == 0)
		r = template_print(format, j, &filled, e);
	if (r == 0)
		show(filled.p, out);
	return r;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct inspect_args *a = args;
	auto_buf struct buf out = BUF_INIT(256 << 20);
	int failed = 0, shown = 0;

	for (int i = 0; i < argc; i++) {
		struct err why = ERR_INIT;

		if (one(s, argv[i], a->format, !shown, &out, &why) < 0) {
			fprintf(stderr, "caisson: %s\n", why.msg);
			failed = 1;
		} else {
			shown++;
		}
	}
	if (!a->format)
		buf_puts(&out, shown ? "\n]\n" : "[]\n");
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : failed;
}

extern const struct cmd cmd_inspect;
const struct cmd cmd_inspect = {
    .name = "inspect",
    .group = "instances",
    .operands = "INSTANCE...",
    .summary = "everything that is known about instances, as JSON",
    .opts = inspect_opts,
    .args_size = sizeof(struct inspect_args),
    .operands_min = 1,
    .operands_max = -1,
    .run = run,
};
