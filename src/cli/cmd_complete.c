/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scripts of `completion` call: from the words typed so far to what may stand next, all of
 * it from the command table.  One candidate a line, a tab, a description.  A line of ":file" alone
 * says that the shell is to offer files.
 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/completion.h"
#include "sys/fd.h"

#include <ctype.h>
#include <stdbool.h>
#include <unistd.h>

static const struct opt complete_opts[] = {OPT_END};

struct ask {
	struct session *s;
	struct buf *out;
	struct arena arena;
	const char *word; /* what is typed of the one in question */
};

static void offer(struct ask *q, const char *text, const char *about)
{
	if (str_after(text, q->word))
		buf_printf(q->out, "%s\t%s\n", text, about ? about : "");
}

static void offer_names(struct ask *q, const char *kind)
{
	struct strs l = {0};

	if (streq(kind, "file"))
		buf_puts(q->out, ":file\n");
	else if (completion_names(q->s, kind, &q->arena, &l, NULL) == 0)
		for (size_t i = 0; i < l.n; i++)
			offer(q, l.v[i], kind);
}

/* The second word of a name whose first is said, or NULL. */
static const char *second(const char *name, const char *first)
{
	const char *rest = str_after(name, first);

	return rest && *rest == ' ' ? rest + 1 : NULL;
}

static void offer_group(struct ask *q, struct strs *seen, const char *name)
{
	const char *blank = strchr(name, ' ');
	const char *group = blank ? arena_dupn(&q->arena, name, (size_t)(blank - name)) : NULL;

	for (size_t i = 0; group && i < seen->n; i++)
		if (streq(seen->v[i], group))
			return;
	if (!group)
		return;
	arena_strs_add(&q->arena, seen, group);
	offer(q, group, "commands of one kind");
}

/* Commands of one word, and the first words of the others. */
static void offer_first(struct ask *q)
{
	struct strs seen = {0};

	for (const struct cmd *const *c = commands_all; *c; c++) {
		if ((*c)->flags & CMD_HIDDEN)
			continue;
		if (strchr((*c)->name, ' '))
			offer_group(q, &seen, (*c)->name);
		else
			offer(q, (*c)->name, (*c)->summary);
		for (const char *const *a = (*c)->aliases; a && *a; a++)
			offer_group(q, &seen, *a);
	}
}

/* The second words behind a group's name. */
static void offer_second(struct ask *q, const char *group)
{
	for (const struct cmd *const *c = commands_all; *c; c++) {
		const char *sub = second((*c)->name, group);

		if ((*c)->flags & CMD_HIDDEN)
			continue;
		if (sub)
			offer(q, sub, (*c)->summary);
		else if (streq(group, "container") && streq((*c)->group, "instances") &&
			 !strchr((*c)->name, ' '))
			offer(q, (*c)->name, (*c)->summary);
		for (const char *const *a = (*c)->aliases; a && *a; a++)
			if ((sub = second(*a, group)))
				offer(q, sub, (*c)->summary);
	}
}

static const struct opt *find_option(const struct opt *table, const char *word, size_t n)
{
	struct opt_walk w = {.at = table};
	const struct opt *o;

	while ((o = opt_next(&w)))
		if ((word[1] == '-' && strlen(o->name) == n - 2 &&
		     strncmp(o->name, word + 2, n - 2) == 0) ||
		    (word[1] != '-' && o->letter && o->letter == word[n - 1]))
			return o;
	return NULL;
}

static bool has_value(const struct opt *o)
{
	return o && o->arg;
}

static void offer_values(struct ask *q, const struct opt *o)
{
	for (const char *const *v = o->type == OPT_ENUM ? o->values : NULL; v && *v; v++)
		offer(q, *v, o->name);
	if (o->complete)
		offer_names(q, o->complete);
}

static void offer_options(struct ask *q, const struct opt *table)
{
	struct opt_walk w = {.at = table};
	const struct opt *o;

	while ((o = opt_next(&w)))
		if (o->type != OPT_REFUSED)
			offer(q, arena_printf(&q->arena, "--%s", o->name), o->help);
	offer(q, "--help", "describe the command");
}

/* "INSTANCE [PORT[/PROTO]]", the n-th of it, to what it is; the last one repeats. */
static const char *kind_of(const char *operands, int n)
{
	static const struct {
		const char *word, *kind;
	} kinds[] = {{"INSTANCE", "instance"}, {"IMAGE", "image"},   {"NAME[:TAG]", "image"},
		     {"NETWORK", "network"},   {"VOLUME", "volume"}, {"SNAPSHOT", "snapshot"},
		     {"FILE", "file"},	       {"PATH", "file"},     {"TAR", "file"},
		     {"COMMAND", "file"}};
	const char *at = operands;

	while (n > 0 && strchr(at, ' ')) {
		at = strchr(at, ' ') + 1;
		n--;
	}
	at += strspn(at, "[");
	if (n > 0 && !strstr(at, "..."))
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (str_after(at, kinds[i].word))
			return kinds[i].kind;
	return NULL;
}

/* words[0..n): behind the command; words[n] is being typed. */
static void in_command(struct ask *q, const struct cmd *c, char **words, int n)
{
	const struct opt *waits = NULL;
	int operands = 0;
	const char *kind;

	for (int i = 0; i < n; i++) {
		const char *w = words[i];

		if (waits) {
			waits = NULL;
		} else if (w[0] == '-' && w[1] && !(c->flags & CMD_RUNS && operands)) {
			const struct opt *o =
			    strchr(w, '=') ? NULL : find_option(c->opts, w, strlen(w));

			waits = has_value(o) ? o : NULL;
		} else {
			operands++;
		}
	}
	if (waits) {
		offer_values(q, waits);
	} else if (q->word[0] == '-' && !(c->flags & CMD_RUNS && operands)) {
		const char *eq = strchr(q->word, '=');
		const struct opt *o =
		    eq ? find_option(c->opts, q->word, (size_t)(eq - q->word)) : NULL;

		if (o)
			q->word = eq + 1;
		if (o)
			offer_values(q, o);
		else if (!eq)
			offer_options(q, c->opts);
	} else if ((kind = kind_of(c->operands, operands))) {
		offer_names(q, kind);
	}
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(16 << 20);
	struct ask q = {.s = s, .out = &out, .word = argc ? argv[argc - 1] : ""};
	const struct cmd *c = NULL;
	int words = 0, r = 0;

	(void)args;
	if (argc > 1)
		c = commands_find(argc - 1, argv, &words);
	if (c)
		in_command(&q, c, argv + words, argc - 1 - words);
	else if (argc == 2)
		offer_second(&q, argv[0]);
	else if (argc < 2)
		offer_first(&q);
	arena_free(&q.arena);
	r = fd_write_all(STDOUT_FILENO, out.p, out.len);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "standard output");
	}
	return 0;
}

extern const struct cmd cmd_complete;
const struct cmd cmd_complete = {
    .name = "__complete",
    .operands = "[WORD...]",
    .summary = "what may stand next",
    .opts = complete_opts,
    .operands_min = 0,
    .operands_max = -1,
    .flags = CMD_HIDDEN | CMD_RUNS,
    .run = run,
};
