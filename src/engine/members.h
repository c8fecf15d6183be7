/* SPDX-License-Identifier: Apache-2.0 */
/* members - JSON objects written member by member, for documents of docker's shape, whose keys are
 * not those of our structs. */
#ifndef ENGINE_MEMBERS_H
#define ENGINE_MEMBERS_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

struct members {
	struct buf *b;
	bool comma; /* one is due before the next member */
};

void members_key(struct members *w, const char *k); /* the value is up to the caller */
void members_str(struct members *w, const char *k, const char *v); /* NULL is "" */
void members_num(struct members *w, const char *k, int64_t v);
void members_yes(struct members *w, const char *k, bool v);
void members_raw(struct members *w, const char *k, const char *json);
void members_open(struct members *w, const char *k); /* an object */
void members_close(struct members *w);
/* A list of objects: _array, then _item before and _close after each, then _end. */
void members_array(struct members *w, const char *k);
void members_item(struct members *w);
void members_end(struct members *w);
/* empty: what docker writes for a list that was never given, "null" or "[]". */
void members_list(struct members *w, const char *k, const struct strs *l, const char *empty);
/* KEY=VALUE each, as an object of strings. */
void members_map(struct members *w, const char *k, const struct strs *l, struct arena *a);
/* Since the epoch; 0 is docker's zero time. */
void members_stamp(struct members *w, const char *k, int64_t ns);

#endif
