/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pscolumn - the columns of `top`, called as ps calls them.
 *
 * What is understood of ps's options: none and -ef (full), aux, -o NAME[,NAME...].  Everything else
 * is refused, because ps itself does not run here: the list comes from the instance's monitor or
 * from the agent in its guest.
 */
#ifndef ENGINE_PSCOLUMN_H
#define ENGINE_PSCOLUMN_H

#include <stddef.h>

struct arena;
struct buf;
struct err;
struct lookup;
struct session;
struct top_list;

struct pscolumn; /* one column */
#define PSCOLUMN_MAX 32

/* The columns that ps options argv[0..argc) ask for; returns how many.  ERR_USAGE. */
int pscolumn_pick(int argc, const char *const *argv, const struct pscolumn *out[PSCOLUMN_MAX],
		  struct err *e);

/* Ask an instance.  ERR_CONFLICT it does not run. */
int pscolumn_ask(struct session *s, const struct lookup *l, struct arena *a, struct top_list *out,
		 struct err *e);

/* Heading and one line per process, with tabs between; no cell holds one.  passwd: text of the
 * account file that names users, or NULL; now_ms: since the epoch. */
struct pscolumn_view {
	const struct pscolumn **columns;
	size_t n;
	const char *passwd;
	long long now_ms;
};
void pscolumn_lines(const struct pscolumn_view *v, const struct top_list *l, struct buf *out);

#endif
