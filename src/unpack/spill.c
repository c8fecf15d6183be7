/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/spill.h"
#include "base/arena.h"

#include <fcntl.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WINDOW	   ((size_t)1 << 20)
#define WINDOW_MEM ((size_t)256 << 10) /* before the file begins: small layers stay small */
/* New windows between two looks at the old ones: what is hot comes back for the price of a minor
 * fault, what is not no longer counts as ours. */
#define COOL_EVERY 4
#define PAGE	   ((size_t)4096)

struct window {
	void *p;
	size_t len;
};

struct spill {
	struct arena_source source;
	int fd;
	uint64_t size, memory; /* of the file; of ordinary memory so far */
	struct window *windows;
	size_t n, cap, since;
	char *at; /* rest of the newest window */
	size_t left;
	struct window *plain; /* ordinary memory */
	size_t nplain, cap_plain;
};

static void note(struct window **v, size_t *n, size_t *cap, void *p, size_t len)
{
	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 16;
		*v = reallocarray(*v, *cap, sizeof(**v));
		if (!*v)
			abort();
	}
	(*v)[(*n)++] = (struct window){p, len};
}

static void *map_memory(struct spill *s, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort(); /* out of memory, see STYLE.md */
	note(&s->plain, &s->nplain, &s->cap_plain, p, len);
	s->memory += len;
	return p;
}

/* NULL when the file gives no more. */
static void *map_file(struct spill *s, size_t len)
{
	void *p;

	if (s->fd < 0)
		return NULL;
	if (fallocate(s->fd, 0, (off_t)s->size, (off_t)len) < 0) {
		s->fd = -1; /* no room, or not known to this file system: memory from now on */
		return NULL;
	}
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, (off_t)s->size);
	if (p == MAP_FAILED)
		abort();
	s->size += len;
	if (++s->since >= COOL_EVERY) {
		s->since = 0;
		spill_cool(s);
	}
	note(&s->windows, &s->n, &s->cap, p, len);
	return p;
}

/* Whole windows for what is large, so that the rest of the newest is not lost to it. */
static void *window(struct spill *s, size_t least, size_t *len)
{
	void *p = NULL;

	*len = s->memory >= SPILL_FREE ? WINDOW : WINDOW_MEM;
	if (least > *len)
		*len = (least + PAGE - 1) & ~(PAGE - 1);
	if (s->memory + *len > SPILL_FREE)
		p = map_file(s, *len);
	return p ? p : map_memory(s, *len);
}

static void *get(void *arg, size_t size)
{
	struct spill *s = arg;
	size_t len;
	void *p;

	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (size > WINDOW_MEM / 2)
		return window(s, size, &len);
	if (size > s->left) {
		s->at = window(s, size, &len);
		s->left = len;
	}
	p = s->at;
	s->at += size;
	s->left -= size;
	return p;
}

struct spill *spill_new(int fd)
{
	struct spill *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->source = (struct arena_source){get, s};
	s->fd = fd;
	return s;
}

static void unmap(struct window *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		munmap(v[i].p, v[i].len);
	free(v);
}

void spill_free(struct spill *s)
{
	if (!s)
		return;
	unmap(s->windows, s->n);
	unmap(s->plain, s->nplain);
	free(s);
}

const struct arena_source *spill_source(struct spill *s)
{
	return &s->source;
}

void spill_cool(struct spill *s)
{
	for (size_t i = 0; s && i < s->n; i++)
		madvise(s->windows[i].p, s->windows[i].len, MADV_DONTNEED);
}

uint64_t spill_size(const struct spill *s)
{
	return s->size;
}
