/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/generate.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"

#include <stdbool.h>

static bool shown(const struct cmd *c)
{
	return !(c->flags & CMD_HIDDEN);
}

void generate_overview(const struct opt *globals, struct buf *out)
{
	const char *group = "";

	buf_puts(out, "usage: caisson [OPTION...] COMMAND ...\n"
		      "run OCI images as containers or as microVMs, from one store\n");
	/* The table is in group order, so a heading is due where the group changes. */
	for (const struct cmd *const *c = commands_all; *c; c++) {
		if (!shown(*c))
			continue;
		if (!streq((*c)->group, group))
			buf_printf(out, "\n%s:\n", (*c)->group);
		group = (*c)->group;
		buf_printf(out, "  %-16s %s\n", (*c)->name, (*c)->summary);
	}
	buf_puts(out, "\noptions:\n");
	opt_help(globals, out);
	buf_puts(out, "\n`caisson COMMAND --help` describes a command.\n");
}

void generate_help(const struct cmd *c, struct buf *out)
{
	buf_printf(out, "usage: caisson %s%s%s%s\n%s\n", c->name,
		   c->opts->name ? " [OPTION...]" : "", *c->operands ? " " : "", c->operands,
		   c->summary);
	for (const char *const *a = c->aliases; a && *a; a++)
		buf_printf(out, "%s%s", a == c->aliases ? "also: caisson " : ", caisson ", *a);
	buf_puts(out, c->aliases ? "\n" : "");
	if (c->opts->name) {
		buf_puts(out, "\n");
		opt_help(c->opts, out);
	}
}

/* A '-' that is one in a program's text and not a hyphen. */
static void roff(const char *text, struct buf *out)
{
	for (; *text; text++)
		if (*text == '-')
			buf_puts(out, "\\-");
		else if (*text == '\\')
			buf_puts(out, "\\e");
		else
			buf_add(out, text, 1);
}

static void man_overview(const struct opt *globals, struct buf *out)
{
	buf_puts(out, ".TH CAISSON 1\n.SH NAME\ncaisson \\- run OCI images as containers or as "
		      "microVMs\n.SH SYNOPSIS\n.B caisson\n[OPTION...] COMMAND ...\n.SH OPTIONS\n");
	opt_man(globals, out);
	buf_puts(out, ".SH COMMANDS\n");
	for (const struct cmd *const *c = commands_all; *c; c++) {
		if (!shown(*c))
			continue;
		buf_puts(out, ".TP\n.B ");
		roff((*c)->name, out);
		buf_puts(out, "\n");
		roff((*c)->summary, out);
		buf_puts(out, ".\n");
	}
}

static void man_command(const struct cmd *c, struct buf *out)
{
	auto_buf struct buf page = BUF_INIT(256);

	buf_printf(&page, "caisson-%s", c->name);
	for (char *p = page.p; *p; p++)
		if (*p == ' ')
			*p = '-';
	buf_printf(out, ".TH %s 1\n.SH NAME\n", page.p);
	roff(page.p, out);
	buf_puts(out, " \\- ");
	roff(c->summary, out);
	buf_printf(out, "\n.SH SYNOPSIS\n.B caisson %s\n%s", c->name,
		   c->opts->name ? "[OPTION...] " : "");
	roff(c->operands, out);
	buf_puts(out, "\n");
	if (c->opts->name) {
		buf_puts(out, ".SH OPTIONS\n");
		opt_man(c->opts, out);
	}
	buf_puts(out, ".SH SEE ALSO\n.BR caisson (1)\n");
}

static void json(const struct opt *globals, struct buf *out)
{
	bool first = true;

	buf_puts(out, "{\"options\":");
	opt_json(globals, out);
	buf_puts(out, ",\"commands\":[");
	for (const struct cmd *const *c = commands_all; *c; c++) {
		if (!shown(*c))
			continue;
		buf_printf(out, "%s{\"name\":\"%s\",\"group\":\"%s\",\"operands\":\"%s\"",
			   first ? "" : ",", (*c)->name, (*c)->group, (*c)->operands);
		buf_printf(out, ",\"summary\":\"%s\",\"options\":", (*c)->summary);
		opt_json((*c)->opts, out);
		buf_puts(out, "}");
		first = false;
	}
	buf_puts(out, "]}\n");
}

/* One page of the manual, by the command's name or the overview. */
static int man(const char *name, const struct opt *globals, struct buf *out, struct err *e)
{
	if (!name)
		man_overview(globals, out);
	for (const struct cmd *const *c = commands_all; name && *c; c++)
		if (streq((*c)->name, name)) {
			man_command(*c, out);
			return 0;
		}
	return name ? err_set(e, ERR_USAGE, "no command '%s'", name) : 0;
}

int generate_all(const char *what, const char *name, const struct opt *globals, struct buf *out,
		 struct err *e)
{
	if (streq(what, "man"))
		return man(name, globals, out, e);
	if (streq(what, "json"))
		json(globals, out);
	else if (!streq(what, "help"))
		return err_set(e, ERR_USAGE, "__gen writes help, man or json, not '%s'", what);
	if (!streq(what, "help"))
		return 0;
	generate_overview(globals, out);
	for (const struct cmd *const *c = commands_all; *c; c++)
		if (shown(*c)) {
			buf_puts(out, "\n");
			generate_help(*c, out);
		}
	return 0;
}
