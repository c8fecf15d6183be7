/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/report.h"

#include <string.h>

const char *const report_subject_names[] = {
#define X(id, name, head, words) name,
    REPORT_SUBJECTS(X)
#undef X
	NULL};
const char *const report_subject_heads[] = {
#define X(id, name, head, words) head,
    REPORT_SUBJECTS(X)
#undef X
	NULL};
const char *const report_subject_words[] = {
#define X(id, name, head, words) words,
    REPORT_SUBJECTS(X)
#undef X
	NULL};

static const struct report_line lines[REPORT_PHASES] = {
#define X(id, key, unit, label, what) [REPORT_##id] = {key, unit, label, what},
    REPORT_ROWS(X)
#undef X
};

static const struct report_line phases[TRACE_PHASE_MAX_] = {
#define X(id, name)                                                                                \
	[TRACE_##id] = {"phase_" name, REPORT_NS, name, "phase, from the engine's own trace"},
    TRACE_PHASES(X)
#undef X
};

static const struct report_line begins[TRACE_PHASE_MAX_] = {
#define X(id, name)                                                                                \
	[TRACE_##id] = {"begin_" name, REPORT_NS, name, "start of the command to that phase"},
    TRACE_PHASES(X)
#undef X
};

struct report_line report_line(unsigned int row)
{
	if (row < REPORT_PHASES)
		return lines[row];
	return row < REPORT_BEGINS ? phases[row - REPORT_PHASES] : begins[row - REPORT_BEGINS];
}

unsigned int report_row_named(const char *key, size_t len)
{
	unsigned int row = 0;

	while (row < REPORT_ROW_MAX_ &&
	       (strlen(report_line(row).key) != len || memcmp(report_line(row).key, key, len) != 0))
		row++;
	return row;
}

void report_cell_add(struct report *r, struct report_cell *c, double value)
{
	c->v = arena_room(r->arena, c->v, c->n, sizeof(*c->v));
	/* Thousandths: what is written in decimals is then read back as the same. */
	c->v[c->n++] = (double)(int64_t)(value * 1000 + 0.5) / 1000;
}

void report_add(struct report *r, unsigned int row, enum report_subject s, double value)
{
	report_cell_add(r, &r->cells[row][s], value);
}

void report_text(struct report *r, unsigned int row, enum report_subject s, const char *text)
{
	r->cells[row][s].text = arena_dup(r->arena, text);
}

void report_missing(struct report *r, unsigned int row, enum report_subject s, const char *why)
{
	struct report_cell *c = &r->cells[row][s];

	if (!c->n && !c->text && !c->why)
		c->why = arena_dup(r->arena, why);
}

void report_absent(struct report *r, enum report_subject s, const char *why)
{
	for (unsigned int row = 0; row < REPORT_PHASES; row++)
		report_missing(r, row, s, why);
	r->who[s].why = arena_dup(r->arena, why);
}

bool report_row_empty(const struct report *r, unsigned int row)
{
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->cells[row][s];

		if (!r->who[s].listed)
			continue;
		if (c->n || c->text || (c->why && row < REPORT_PHASES))
			return false;
	}
	return true;
}

bool report_shown(const struct report *r, enum report_subject s)
{
	return r->who[s].listed && !r->who[s].why;
}
