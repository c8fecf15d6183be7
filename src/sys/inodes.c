/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/inodes.h"

#include <stdlib.h>

#define SLOTS_FIRST 64

struct inodes_entry {
	dev_t dev;
	ino_t ino;
	const char *name; /* NULL: the slot is free */
};

static struct inodes_entry *slot(const struct inodes *s, dev_t dev, ino_t ino)
{
	size_t i = (size_t)(ino * 0x9e3779b97f4a7c15u) & (s->slots - 1);

	while (s->v[i].name && (s->v[i].ino != ino || s->v[i].dev != dev))
		i = (i + 1) & (s->slots - 1);
	return &s->v[i];
}

static void grow(struct inodes *s)
{
	struct inodes old = *s;

	s->slots = old.slots ? 2 * old.slots : SLOTS_FIRST;
	s->v = calloc(s->slots, sizeof(*s->v));
	if (!s->v)
		abort();
	for (size_t i = 0; i < old.slots; i++)
		if (old.v[i].name)
			*slot(s, old.v[i].dev, old.v[i].ino) = old.v[i];
	free(old.v);
}

const char *inodes_before(struct inodes *s, const struct stat *st, const char *name)
{
	struct inodes_entry *e;

	if (st->st_nlink < 2)
		return NULL;
	if (2 * s->n >= s->slots)
		grow(s);
	e = slot(s, st->st_dev, st->st_ino);
	if (e->name)
		return e->name;
	*e = (struct inodes_entry){st->st_dev, st->st_ino, arena_dup(&s->names, name)};
	s->n++;
	return NULL;
}

void inodes_free(struct inodes *s)
{
	free(s->v);
	arena_free(&s->names);
	*s = (struct inodes){0};
}
