/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pretty.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/each.h"
#include "cli/template.h"
#include "fmt/json.h"
#include "fmt/utf8.h"
#include "sys/fd.h"

#include <stdio.h>
#include <unistd.h>

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

int pretty_one(const struct buf *text, const char *format, bool first, struct buf *out,
	       struct err *e)
{
	auto_buf struct buf filled = BUF_INIT(8 << 20);
	auto_json struct json *j = NULL;
	int r;

	if (!format) {
		buf_puts(out, first ? "[\n    " : ",\n    ");
		indent(text->p, 1, out);
		return 0;
	}
	if (streq(format, "json")) {
		buf_printf(out, "%s\n", text->p);
		return 0;
	}
	r = json_parse(text->p, text->len, "description", &j, e);
	if (r == 0)
		r = template_print(format, j, &filled, e);
	if (r == 0)
		show(filled.p, out);
	return r;
}

int pretty_each(struct session *s, int argc, char **argv, const char *format,
		int (*describe)(struct session *s, const char *name, struct buf *text,
				struct err *e))
{
	auto_buf struct buf out = BUF_INIT(256 << 20);
	int failed = 0, shown = 0;

	for (int i = 0; i < argc; i++) {
		auto_buf struct buf text = BUF_INIT(8 << 20);
		struct err why = ERR_INIT;
		int r = describe(s, argv[i], &text, &why);

		if (r == 0)
			r = pretty_one(&text, format, !shown, &out, &why);
		if (r < 0) {
			each_failed(&why);
			failed = 1;
		} else {
			shown++;
		}
	}
	if (!format)
		buf_puts(&out, shown ? "\n]\n" : "[]\n");
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : failed;
}
