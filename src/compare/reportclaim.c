/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/reportclaim.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/figure.h"
#include "compare/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct word {
	const char *name;
	int value;
};

static const struct word statistics[] = {
    {"_median", REPORTCLAIM_MEDIAN}, {"_p50", REPORTCLAIM_MEDIAN}, {"_p95", REPORTCLAIM_P95},
    {"_min", REPORTCLAIM_MIN},	     {"_max", REPORTCLAIM_MAX},	   {"_n", REPORTCLAIM_N}};

static const struct {
	const char *name;
	enum report_unit unit;
	double by;
} units[] = {{"ns", REPORT_NS, 1},
	     {"us", REPORT_NS, 1e3},
	     {"ms", REPORT_NS, 1e6},
	     {"s", REPORT_NS, 1e9},
	     {"B", REPORT_BYTES, 1},
	     {"KiB", REPORT_BYTES, 1 << 10},
	     {"MiB", REPORT_BYTES, 1 << 20},
	     {"GiB", REPORT_BYTES, 1 << 30},
	     {"KiB/s", REPORT_RATE, 1 << 10},
	     {"MiB/s", REPORT_RATE, 1 << 20},
	     {"GiB/s", REPORT_RATE, 1 << 30},
	     {"/s", REPORT_HZ, 1}};

static int wrong(const char *text, const char *what, struct err *e)
{
	return err_set(e, ERR_USAGE,
		       "--assert '%.80s': %s (as 'container.first_output_p95 < 30ms')", text, what);
}

static bool same(const char *word, const char *s, size_t len)
{
	return strlen(word) == len && memcmp(word, s, len) == 0;
}

static int parse_subject(const char *text, struct reportclaim *c, const char **end, struct err *e)
{
	size_t len = strcspn(text, ".");

	for (int s = 0; text[len] && s < REPORT_SUBJECT_MAX_; s++)
		if (same(report_subject_names[s], text, len)) {
			c->subject = (enum report_subject)s;
			*end = text + len + 1;
			return 0;
		}
	return wrong(text, "it begins with who it is about: host., container., vm., rootless. ...",
		     e);
}

static bool find_row(const char *key, size_t len, unsigned int *row)
{
	*row = same("start", key, len) ? REPORT_FIRST : report_row_named(key, len);
	return *row < REPORT_ROW_MAX_ && report_line(*row).unit != REPORT_TEXT;
}

/* A key may end as a statistic does: the whole word comes first. */
static bool find_key(const char *key, size_t len, struct reportclaim *c)
{
	if (find_row(key, len, &c->row))
		return true;
	for (size_t i = 0; i < sizeof(statistics) / sizeof(statistics[0]); i++) {
		size_t tail = strlen(statistics[i].name);

		if (len <= tail || memcmp(key + len - tail, statistics[i].name, tail) != 0)
			continue;
		c->statistic = (enum reportclaim_statistic)statistics[i].value;
		return find_row(key, len - tail, &c->row);
	}
	return false;
}

static bool find_unit(const char *text, struct reportclaim *c)
{
	enum report_unit unit =
	    c->statistic == REPORTCLAIM_N ? REPORT_COUNT : report_line(c->row).unit;

	if (unit == REPORT_COUNT)
		return !*text;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == unit && streq(units[i].name, text)) {
			c->value *= units[i].by;
			return true;
		}
	return false;
}

static const char *blanks(const char *p)
{
	return p + strspn(p, " \t");
}

int reportclaim_parse(const char *text, struct reportclaim *out, struct err *e)
{
	struct reportclaim c = {.text = text};
	const char *p = text, *key;
	char *end;
	size_t len;
	int r = parse_subject(text, &c, &p, e);

	if (r < 0)
		return r;
	key = p;
	len = strcspn(p, " \t<>=");
	if (!find_key(key, len, &c))
		return wrong(text, "no such figure: the keys are those of --format json", e);
	p = blanks(p + len);
	if (*p != '<' && *p != '>')
		return wrong(text, "the operator is <, <=, > or >=", e);
	c.less = *p++ == '<';
	c.equal = *p == '=';
	p = blanks(p + c.equal);
	c.value = strtod(p, &end);
	if (end == p || !isfinite(c.value) || c.value < 0)
		return wrong(text, "a number is to follow", e);
	if (!find_unit(blanks(end), &c))
		return wrong(
		    text,
		    "the unit is ns, us, ms or s for times, B, KiB, MiB or GiB for sizes, the "
		    "same by s or /s for rates",
		    e);
	*out = c;
	return 0;
}

static double pick(const struct stats *s, enum reportclaim_statistic what)
{
	switch (what) {
	case REPORTCLAIM_MEDIAN:
		return s->median;
	case REPORTCLAIM_P95:
		return s->p95;
	case REPORTCLAIM_MIN:
		return s->min;
	case REPORTCLAIM_MAX:
		return s->max;
	case REPORTCLAIM_N:
		return (double)s->n;
	}
	abort();
}

bool reportclaim_holds(const struct reportclaim *c, const struct report *r, struct buf *why)
{
	const struct report_cell *cell = &r->cells[c->row][c->subject];
	struct stats s;
	double v;

	if (stats_of(cell->v, cell->n, &s) < 0) {
		buf_printf(why, "%s: not measured: %s", c->text,
			   cell->why ? cell->why : "there is no figure");
		return false;
	}
	v = pick(&s, c->statistic);
	if (c->less ? v < c->value : v > c->value)
		return true;
	if (c->equal && v >= c->value && v <= c->value)
		return true;
	buf_printf(why, "%s does not hold: it is ", c->text);
	figure_put(why, c->statistic == REPORTCLAIM_N ? REPORT_COUNT : report_line(c->row).unit, v);
	return false;
}
