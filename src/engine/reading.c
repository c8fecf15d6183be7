/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/reading.h"
#include "base/arena.h"
#include "base/auto.h"
#include "engine/conn.h"

#include <string.h>

bool reading_take(struct session *s, const char *id, int timeout_ms, struct metrics *out)
{
	struct conn_question q = {.type = WIRE_STATS, .timeout_ms = timeout_ms};
	auto_arena struct arena a = ARENA_INIT;
	const char *text;

	*out = (struct metrics){0};
	return conn_ask(s, id, &q, &a, &text, NULL) == 0 &&
	       jbind_parse(&metrics_table, text, strlen(text), out, &a, "numbers", NULL) == 0;
}
