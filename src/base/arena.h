/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - memory that is freed all at once.  Parsed documents and the plain-data structs of spec/
 * live in one, so that a struct full of strings and lists has exactly one owner and one release.
 *
 * What is allocated is zeroed and aligned for any type.  Out of memory ends the process (STYLE.md);
 * sizes that come from outside are limited by the parser before they arrive here.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;
/* Where the arena's memory comes from instead of malloc(): size zeroed bytes, aligned for any type,
 * that belong to the source; arena_free() leaves them to it.  Never NULL. */
struct arena_source {
	void *(*get)(void *arg, size_t size);
	void *arg;
};
struct arena {
	struct arena_chunk *head;
	const struct arena_source *source; /* NULL: malloc() */
};
#define ARENA_INIT ((struct arena){0})

/* Borrowed list of strings: n entries and, when made by an arena, a NULL behind the last, so that
 * .v can be handed to execve(). */
struct strs {
	const char **v;
	size_t n;
};

void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t size);
char *arena_dup(struct arena *a, const char *s);
char *arena_dupn(struct arena *a, const char *s, size_t len);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *fmt, ...);

/* Append s (borrowed, not copied) to l, whose storage comes from arena_strs_array() of this arena
 * or is empty.  Grows by doubling; keeps the NULL behind the last. */
void arena_strs_add(struct arena *a, struct strs *l, const char *s);

/* Sort by bytes; and whether a sorted list holds s. */
void arena_strs_sort(struct strs *l);
bool arena_strs_has(const struct strs *l, const char *s);

/* Room for one more in a list of n entries that only this function has grown: v, or at every power
 * of two a copy of twice the size. */
void *arena_room(struct arena *a, void *v, size_t n, size_t size);

/* Zeroed storage for n strings and the NULL behind them, with the room that arena_strs_add() counts
 * on: it derives the capacity from the length. */
const char **arena_strs_array(struct arena *a, size_t n);

void arena_free(struct arena *a);
#define auto_arena __attribute__((cleanup(arena_free)))

#endif
