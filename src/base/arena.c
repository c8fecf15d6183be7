/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 8192 /* a small plan fits into one or two */

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->head;
	void *p;

	if (size > SIZE_MAX / 2)
		abort();
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!c || c->size - c->used < size) {
		size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;

		c = a->source ? a->source->get(a->source->arg, sizeof(*c) + room)
			      : calloc(1, sizeof(*c) + room);
		if (!c)
			abort(); /* out of memory is not an error we handle, see STYLE.md */
		c->size = room;
		c->next = a->head;
		a->head = c;
	}
	p = c->data + c->used;
	c->used += size;
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / 2 / size)
		abort();
	return arena_alloc(a, n * size);
}

char *arena_dupn(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (len) /* s may be NULL then, which memcpy() does not allow */
		memcpy(p, s, len);
	return p;
}

char *arena_dup(struct arena *a, const char *s)
{
	return arena_dupn(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

const char **arena_strs_array(struct arena *a, size_t n)
{
	size_t cap = 1;

	while (cap < n + 1)
		cap *= 2;
	return arena_array(a, cap, sizeof(const char *));
}

void arena_strs_add(struct arena *a, struct strs *l, const char *s)
{
	/* Capacity is the power of two from n + 1 entries up, so it needs no field of its own. */
	if (l->n == 0 || ((l->n + 1) & l->n) == 0) {
		const char **v = arena_strs_array(a, l->n + 1);

		if (l->n)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
	}
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void arena_strs_sort(struct strs *l)
{
	if (l->n) /* qsort() does not take NULL */
		qsort(l->v, l->n, sizeof(*l->v), by_bytes);
}

bool arena_strs_has(const struct strs *l, const char *s)
{
	return l->n && bsearch(&s, l->v, l->n, sizeof(*l->v), by_bytes);
}

void *arena_room(struct arena *a, void *v, size_t n, size_t size)
{
	void *more;

	if (n & (n - 1)) /* full at 0 and at every power of two */
		return v;
	more = arena_array(a, n ? n * 2 : 1, size);
	if (n)
		memcpy(more, v, n * size);
	return more;
}

void arena_free(struct arena *a)
{
	while (a->head && !a->source) {
		struct arena_chunk *next = a->head->next;

		free(a->head);
		a->head = next;
	}
	a->head = NULL;
}
