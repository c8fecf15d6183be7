/* SPDX-License-Identifier: Apache-2.0 */
#include "build/why.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/sha256.h"
#include "base/str.h"
#include "store/buildcache.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "1"
#define SUM	16 /* hex digits of a value's digest: to tell two apart, not to prove anything */
#define TOLD	6  /* differences that are named */

/* One that was kept, or the one at hand, taken apart. */
struct input {
	const char *name, *sum;
};
struct note {
	const char *place, *step;
	struct input *v;
	size_t n;
};

static void put(struct why *w, const char *text)
{
	buf_add(&w->text, text, strlen(text) + 1);
}

void why_begin(struct why *w, const char *place, const char *step)
{
	why_done(w);
	w->text = (struct buf)BUF_INIT(WHY_MAX);
	put(w, VERSION);
	put(w, place ? place : "");
	put(w, step);
}

void why_add(struct why *w, const char *name, const void *data, size_t len)
{
	unsigned char sum[32];
	char hex[SUM + 1];

	sha256_of(data, len, sum);
	for (size_t i = 0; i < SUM / 2; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	put(w, name);
	put(w, hex);
}

void why_text(struct why *w, const char *name, const char *text)
{
	if (text)
		why_add(w, name, text, strlen(text));
}

void why_each(struct why *w, const char *kind, const struct strs *l)
{
	auto_arena struct arena a = ARENA_INIT;

	for (size_t i = 0; i < l->n; i++)
		why_text(w, arena_printf(&a, "%s %.*s", kind, (int)strcspn(l->v[i], "="), l->v[i]),
			 l->v[i]);
}

void why_done(struct why *w)
{
	buf_free(&w->text);
}

int why_keep(const struct why *w, struct store *s, const char *key, struct err *e)
{
	if (!w->text.len || buf_fail(&w->text, "", NULL) < 0)
		return 0;
	return buildcache_note_put(s, key, w->text.p, w->text.len, e);
}

/* ---- comparing ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct input *)a)->name, ((const struct input *)b)->name);
}

/* Ours, but whatever lies there must not be read beyond its end. */
static bool take_apart(const char *p, size_t len, bool head_only, struct arena *a, struct note *out)
{
	const char *end = p + len, *field[3];
	size_t fields = 0;

	*out = (struct note){0};
	if (!len || p[len - 1])
		return false;
	for (const char *c = p; c < end; c += strlen(c) + 1)
		fields++;
	if (fields < 3 || fields % 2 == 0)
		return false;
	for (size_t i = 0; i < 3; i++, p += strlen(p) + 1)
		field[i] = p;
	out->place = field[1];
	out->step = field[2];
	if (!streq(field[0], VERSION) || head_only)
		return streq(field[0], VERSION);
	out->v = arena_array(a, fields / 2, sizeof(*out->v));
	while (p < end) {
		const char *name = p, *sum = name + strlen(name) + 1;

		out->v[out->n++] = (struct input){name, sum};
		p = sum + strlen(sum) + 1;
	}
	qsort(out->v, out->n, sizeof(*out->v), by_name);
	return true;
}

struct told {
	struct buf text;
	size_t n;
};

static void tell(struct told *t, const char *name, const char *what)
{
	if (t->n++ < TOLD)
		buf_printf(&t->text, "%s%s %s", t->n > 1 ? ", " : "", name, what);
}

static void compare(const struct note *was, const struct note *is, struct told *t)
{
	size_t i = 0, k = 0;

	while (i < was->n || k < is->n) {
		int c = i == was->n ? 1 : k == is->n ? -1 : strcmp(was->v[i].name, is->v[k].name);

		if (c < 0)
			tell(t, was->v[i].name, "is gone");
		else if (c > 0)
			tell(t, is->v[k].name, "is new");
		else if (!streq(was->v[i].sum, is->v[k].sum))
			tell(t, is->v[k].name, "changed");
		i += c <= 0;
		k += c >= 0;
	}
	if (t->n > TOLD)
		buf_printf(&t->text, ", and %zu more", t->n - TOLD);
}

/* The newest at the same place, else with the same instruction. */
static bool find_former(const struct note *is, struct store *s, struct arena *a, struct note *out)
{
	struct buildcache_list all;
	int64_t best_ns = -1;
	int best = 0; /* 2: of the place */

	if (buildcache_all(s, a, &all, NULL) < 0)
		return false;
	for (size_t i = 0; i < all.n; i++) {
		size_t len = 0;
		auto_free char *text = NULL;
		struct note n;
		int how;

		if (buildcache_note_read(s, all.v[i].key, WHY_MAX, &text, &len) < 0 ||
		    !take_apart(text, len, true, a, &n))
			continue;
		how = *is->place && streq(n.place, is->place) ? 2 : streq(n.step, is->step);
		if (!how || how < best || (how == best && all.v[i].created_ns <= best_ns))
			continue;
		best = how;
		best_ns = all.v[i].created_ns;
		take_apart(arena_dupn(a, text, len), len, false, a, out);
	}
	return best > 0;
}

const char *why_explain(const struct why *w, struct store *s, const char *key, struct arena *a)
{
	auto_free char *text = NULL;
	size_t len = 0;
	struct note is, was = {0};
	auto_buf struct buf room = BUF_INIT(1 << 16);
	struct told t = {.text = BUF_INIT(1 << 16)};
	const char *out;

	if (buildcache_note_read(s, key, WHY_MAX, &text, &len) >= 0)
		return "what it had made is gone from the store";
	if (!take_apart(w->text.p, w->text.len, false, a, &is))
		return "too much goes into it to say";
	if (!find_former(&is, s, a, &was))
		return "it was not built before";
	if (!streq(was.step, is.step))
		buf_printf(&room, "the instruction was '%.200s'", was.step);
	compare(&was, &is, &t);
	if (t.n)
		buf_printf(&room, "%s%s", room.len ? "; " : "", t.text.p);
	else if (!room.len)
		buf_puts(&room, "it is done again although nothing changed");
	out = arena_dupn(a, room.p, room.len);
	buf_free(&t.text);
	return out;
}
