/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/report.h"

const char *const report_subject_names[] = {"host", "container", "vm", NULL};

static const struct report_line lines[REPORT_PHASES] = {
#define X(id, key, unit, label, what) [REPORT_##id] = {key, unit, label, what},
    REPORT_ROWS(X)
#undef X
};

static const char *const phases[TRACE_PHASE_MAX_] = {
#define X(id, name) [TRACE_##id] = name,
    TRACE_PHASES(X)
#undef X
};

struct report_line report_line(unsigned int row)
{
	const char *phase;

	if (row < REPORT_PHASES)
		return lines[row];
	phase = phases[row - REPORT_PHASES];
	return (struct report_line){phase, REPORT_NS, phase, "phase, from the engine's own trace"};
}

void report_add(struct report *r, unsigned int row, enum report_subject s, double value)
{
	struct report_cell *c = &r->cells[row][s];

	c->v = arena_room(r->arena, c->v, c->n, sizeof(*c->v));
	c->v[c->n++] = value;
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

bool report_row_empty(const struct report *r, unsigned int row)
{
	for (int s = 0; s < REPORT_SUBJECT_MAX_; s++) {
		const struct report_cell *c = &r->cells[row][s];

		if (c->n || c->text || (c->why && row < REPORT_PHASES))
			return false;
	}
	return true;
}
