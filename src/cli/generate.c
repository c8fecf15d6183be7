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

static void man(const struct opt *globals, struct buf *out)
{
	buf_puts(out, ".TH CAISSON 1\n.SH NAME\ncaisson \\- run OCI images as containers or as "
		      "microVMs\n.SH SYNOPSIS\n.B caisson\n[OPTION...] COMMAND ...\n.SH OPTIONS\n");
	opt_man(globals, out);
	for (const struct cmd *const *c = commands_all; *c; c++) {
		if (!shown(*c))
			continue;
		buf_printf(out, ".SH caisson %s %s\n%s.\n", (*c)->name, (*c)->operands,
			   (*c)->summary);
		opt_man((*c)->opts, out);
	}
}

static void bash(struct buf *out)
{
	buf_puts(out, "_caisson() {\n\tlocal w= k=\"${COMP_WORDS[1]}\"\n"
		      "\tcase $k in image|container|network|volume|system) k=\"$k "
		      "${COMP_WORDS[2]}\" ;; esac\n\tcase $k in\n");
	for (const struct cmd *const *c = commands_all; *c; c++) {
		if (!shown(*c))
			continue;
		buf_printf(out, "\t'%s') w='", (*c)->name);
		opt_bash((*c)->opts, out);
		buf_puts(out, "' ;;\n");
	}
	buf_puts(out, "\t*) w='");
	for (const struct cmd *const *c = commands_all; *c; c++)
		if (shown(*c))
			buf_printf(out, " %s", (*c)->name);
	buf_puts(out, "' ;;\n\tesac\n\tCOMPREPLY=($(compgen -W \"$w\" -- "
		      "\"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
		      "complete -o nospace -o default -F _caisson caisson\n");
}

static void zsh(struct buf *out)
{
	buf_puts(out, "#compdef caisson\nlocal -a commands=(\n");
	for (const struct cmd *const *c = commands_all; *c; c++)
		if (shown(*c))
			buf_printf(out, "'%s:%s'\n", (*c)->name, (*c)->summary);
	buf_puts(out, ")\nif (( CURRENT == 2 )); then\n\t_describe command commands\n\treturn\nfi\n"
		      "case $words[2] in\n");
	for (const struct cmd *const *c = commands_all; *c; c++) {
		if (!shown(*c))
			continue;
		buf_printf(out, "'%s')\n_arguments ", (*c)->name);
		auto_buf struct buf args = BUF_INIT(64 << 10);

		opt_zsh((*c)->opts, &args);
		for (char *p = args.p; *p; p++)
			if (*p == '\n')
				*p = ' ';
		buf_printf(out, "%s'*:operand:_files'\n;;\n", args.p);
	}
	buf_puts(out, "esac\n");
}

static void fish(struct buf *out)
{
	for (const struct cmd *const *c = commands_all; *c; c++) {
		auto_buf struct buf when = BUF_INIT(256);

		if (!shown(*c))
			continue;
		buf_printf(out, "complete -c caisson -n __fish_use_subcommand -f -a '%s' -d '%s'\n",
			   (*c)->name, (*c)->summary);
		buf_printf(&when, "__fish_seen_subcommand_from %s", (*c)->name);
		opt_fish((*c)->opts, when.p, out);
	}
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

int generate_all(const char *what, const struct opt *globals, struct buf *out, struct err *e)
{
	if (streq(what, "man"))
		man(globals, out);
	else if (streq(what, "bash"))
		bash(out);
	else if (streq(what, "zsh"))
		zsh(out);
	else if (streq(what, "fish"))
		fish(out);
	else if (streq(what, "json"))
		json(globals, out);
	else if (!streq(what, "help"))
		return err_set(e, ERR_USAGE,
			       "__gen writes help, man, bash, zsh, fish or json, not '%s'", what);
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
