/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/teller.h"
#include "base/auto.h"
#include "base/buf.h"
#include "spec/event.h"
#include "spec/plan.h"
#include "sys/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXTRA 3 /* image, name, and what the action adds */

void teller_init(struct teller *r, const char *run_root, const struct plan *p)
{
	*r = (struct teller){.run_root = run_root};
	r->id = arena_dup(&r->arena, p->caisson->id);
	r->image = arena_dup(&r->arena, p->caisson->image ? p->caisson->image : "");
	r->name = strdup(p->caisson->name ? p->caisson->name : "");
	if (!r->name)
		abort();
	for (size_t i = 0; i < p->caisson->labels.n; i++)
		arena_strs_add(&r->arena, &r->labels,
			       arena_dup(&r->arena, p->caisson->labels.v[i]));
}

void teller_done(struct teller *r)
{
	arena_free(&r->arena);
	free(r->name);
	*r = (struct teller){0};
}

void teller_rename(struct teller *r, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		abort();
	free(r->name);
	r->name = copy;
}

static void add(struct jbind_map *m, const char *key, const char *value)
{
	m->v[m->n++] = (struct jbind_pair){key, value};
}

void teller_event(const struct teller *r, const char *action, const char *key, const char *value)
{
	static const struct journal_bounds bounds = {EVENT_BYTES, EVENT_FILES};
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(EVENT_LINE);
	struct event e = {.type = "container", .action = action, .actor = {.id = r->id}};
	auto_fd int dir = -1;
	struct timespec t;

	e.actor.attributes.v = arena_array(&a, r->labels.n + EXTRA, sizeof(struct jbind_pair));
	for (size_t i = 0; i < r->labels.n; i++) {
		const char *l = r->labels.v[i], *eq = strchrnul(l, '=');

		add(&e.actor.attributes, arena_dupn(&a, l, (size_t)(eq - l)), *eq ? eq + 1 : "");
	}
	add(&e.actor.attributes, "image", r->image);
	add(&e.actor.attributes, "name", r->name);
	if (key)
		add(&e.actor.attributes, key, value);
	clock_gettime(CLOCK_REALTIME, &t);
	event_write(&e, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec, &b);
	dir = open(arena_printf(&a, "%s/" EVENT_DIR, r->run_root),
		   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && !b.failed)
		journal_append(dir, EVENT_NAME, &bounds, b.p, b.len);
}

void teller_exec(const struct teller *r, const char *action, const struct strs *args)
{
	auto_buf struct buf b = BUF_INIT(4096);

	buf_printf(&b, "%s:", action);
	for (size_t i = 0; i < args->n; i++)
		buf_printf(&b, " %s", args->v[i]);
	teller_event(r, b.p, NULL, NULL);
}
