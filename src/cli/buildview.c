/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/buildview.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "cli/buildjson.h"
#include "cli/buildtty.h"
#include "fmt/utf8.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const buildview_names[] = {"auto", "plain", "tty", "rawjson", "quiet", NULL};
_Static_assert(sizeof(buildview_names) / sizeof(*buildview_names) == BUILDVIEW_HOW_MAX_ + 1,
	       "a name for each");

static const char *variable(char *const *environment, const char *name)
{
	const char *value = NULL;

	for (; !value && *environment; environment++)
		value = str_after(*environment, name);
	return value;
}

void buildview_open(struct buildview *v, int how, char *const *environment)
{
	const char *term = variable(environment, "TERM=");
	const char *plain = variable(environment, "NO_COLOR=");

	if (how == BUILDVIEW_AUTO)
		how = isatty(STDERR_FILENO) && term && !streq(term, "dumb") ? BUILDVIEW_TTY
									    : BUILDVIEW_PLAIN;
	*v = (struct buildview){.how = how};
	if (how == BUILDVIEW_TTY)
		v->tty = buildtty_open(!plain || !*plain);
	if (how == BUILDVIEW_RAWJSON)
		v->json = buildjson_open();
	/* It draws in a process of its own; without one there are lines all the same. */
	if (how == BUILDVIEW_TTY && !v->tty)
		v->how = BUILDVIEW_PLAIN;
}

/* ---- the end of a step's output ---- */

static struct buildview_tail *tail_of(struct buildview *v, unsigned int number)
{
	for (size_t i = 0; i < BUILDVIEW_TAILS; i++)
		if (v->tails[i].number == number)
			return &v->tails[i];
	return NULL;
}

static void keep_tail(struct buildview *v, const struct builder_event *ev)
{
	struct buildview_tail *t = tail_of(v, ev->number);
	size_t n = ev->len < BUILDVIEW_TAIL ? ev->len : BUILDVIEW_TAIL;

	if (ev->kind == BUILDER_DONE && t)
		*t = (struct buildview_tail){0};
	if (ev->kind != BUILDER_OUTPUT || !(t = t ? t : tail_of(v, 0)))
		return;
	t->number = ev->number;
	if (t->len + n > BUILDVIEW_TAIL) {
		memmove(t->text, t->text + t->len + n - BUILDVIEW_TAIL, BUILDVIEW_TAIL - n);
		t->len = BUILDVIEW_TAIL - n;
	}
	memcpy(t->text + t->len, ev->text + ev->len - n, n);
	t->len += n;
}

/* With --quiet nothing of them was to be seen, and those of other stages may stand between them. */
void buildview_tail(const struct buildview *v, unsigned int number)
{
	const struct buildview_tail *t = NULL;
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf line = BUF_INIT(4 * BUILDVIEW_TAIL);
	const char *p, *end;

	for (size_t i = 0; !t && number && i < BUILDVIEW_TAILS; i++)
		t = v->tails[i].number == number ? &v->tails[i] : NULL;
	if (!t || v->how == BUILDVIEW_RAWJSON)
		return;
	p = t->text;
	end = p + t->len;
	if (t->len == BUILDVIEW_TAIL && memchr(p, '\n', BUILDVIEW_TAIL - 1))
		p = (const char *)memchr(p, '\n', BUILDVIEW_TAIL - 1) + 1;
	fprintf(stderr, "the last lines of step #%u:\n", number);
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;

		line.len = 0;
		utf8_visible(&line, arena_dupn(&a, p, (size_t)(stop - p)));
		fprintf(stderr, "    %.*s\n", (int)line.len, line.p);
		p = nl ? nl + 1 : end;
	}
}

/* ---- lines ---- */

/* A step's output as lines behind its number; what a terminal would obey is escaped. */
static void show_output(struct buildview *v, const struct builder_event *ev)
{
	const char *p = ev->text, *end = p + ev->len;

	if (v->middle && v->number != ev->number) {
		fputc('\n', stderr);
		v->middle = false;
	}
	v->number = ev->number;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
		auto_buf struct buf line = BUF_INIT(1 << 20);
		auto_arena struct arena a = ARENA_INIT;

		utf8_visible(&line, arena_dupn(&a, p, (size_t)(stop - p)));
		if (!v->middle)
			fprintf(stderr, "#%u ", ev->number);
		fprintf(stderr, "%s%s", line.p, nl ? "\n" : "");
		v->middle = !nl;
		p = nl ? nl + 1 : end;
	}
}

static void show_line(const struct builder_event *ev)
{
	auto_buf struct buf text = BUF_INIT(1 << 20);

	switch ((enum builder_event_kind)ev->kind) {
	case BUILDER_STEP:
		utf8_visible(&text, ev->text);
		fprintf(stderr, "#%u [%s %u/%u] %.400s\n", ev->number, ev->stage, ev->step,
			ev->steps, text.p);
		return;
	case BUILDER_MISS:
		utf8_visible(&text, ev->text);
		fprintf(stderr, "#%u not in the cache: %s\n", ev->number, text.p);
		return;
	case BUILDER_CACHED:
		fprintf(stderr, "#%u CACHED\n", ev->number);
		return;
	case BUILDER_DONE:
		fprintf(stderr, "#%u DONE %.1fs\n", ev->number, (double)ev->ns / 1e9);
		return;
	case BUILDER_WARNING:
		fprintf(stderr, "warning: %s\n", ev->text);
		return;
	case BUILDER_BASE:
	case BUILDER_OUTPUT:
	case BUILDER_DEBUG:
	case BUILDER_PIN:
		return;
	}
}

void buildview_event(const struct builder_event *ev, void *view)
{
	struct buildview *v = view;

	keep_tail(v, ev);
	if (v->how == BUILDVIEW_RAWJSON) {
		buildjson_event(v->json, ev);
		return;
	}
	if (v->how == BUILDVIEW_TTY) {
		buildtty_event(v->tty, ev);
		return;
	}
	if (v->how == BUILDVIEW_QUIET && ev->kind != BUILDER_WARNING)
		return;
	if (ev->kind == BUILDER_OUTPUT) {
		show_output(v, ev);
		return;
	}
	if (v->middle)
		fputc('\n', stderr);
	v->middle = false;
	show_line(ev);
}

void buildview_say(struct buildview *v, const char *text)
{
	if (v->how == BUILDVIEW_TTY)
		buildtty_event(v->tty,
			       &(struct builder_event){.kind = BUILDER_WARNING, .text = text});
	else if (v->how == BUILDVIEW_PLAIN)
		fprintf(stderr, "%s%s\n", v->middle ? "\n" : "", text);
	v->middle = false;
}

void buildview_close(struct buildview *v, unsigned int failed, const char *why)
{
	if (v->how == BUILDVIEW_TTY)
		buildtty_close(v->tty, failed);
	if (v->how == BUILDVIEW_RAWJSON)
		buildjson_close(v->json, failed, why);
	if (v->middle)
		fputc('\n', stderr);
	v->middle = false;
}
