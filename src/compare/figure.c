/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/figure.h"
#include "base/buf.h"
#include "compare/stats.h"

#include <stdint.h>

struct figure_scale figure_scale(enum report_unit unit, double v)
{
	static const struct figure_scale ns[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
	static const struct figure_scale bytes[] = {
	    {1u << 30, "GiB"}, {1u << 20, "MiB"}, {1u << 10, "KiB"}, {1, "B"}};
	static const struct figure_scale rate[] = {
	    {1u << 30, "GiB/s"}, {1u << 20, "MiB/s"}, {1u << 10, "KiB/s"}, {1, "B/s"}};
	const struct figure_scale *s = unit == REPORT_NS ? ns : unit == REPORT_RATE ? rate : bytes;

	if (unit == REPORT_COUNT)
		return (struct figure_scale){1, ""};
	if (unit == REPORT_HZ)
		return v < 1e4 ? (struct figure_scale){1, "/s"} : (struct figure_scale){1e3, "k/s"};
	while (s->by > 1 && v < s->by)
		s++;
	return *s;
}

void figure_digits(struct buf *out, double v)
{
	int after = v >= 99.95 || v == (double)(int64_t)v ? 0
		    : v >= 9.995			  ? 1
		    : v >= 0.9995			  ? 2
							  : 3;

	buf_printf(out, "%.*f", after, v);
}

void figure_put(struct buf *out, enum report_unit unit, double v)
{
	struct figure_scale u = figure_scale(unit, v);

	figure_digits(out, v / u.by);
	buf_printf(out, "%s%s", *u.name ? " " : "", u.name);
}

void figure_interval(struct buf *out, enum report_unit unit, const struct stats *s, const char *to)
{
	struct figure_scale u = figure_scale(unit, s->median);

	figure_put(out, unit, s->median);
	if (s->low >= s->high)
		return;
	buf_puts(out, " [");
	figure_digits(out, s->low / u.by);
	buf_puts(out, to);
	figure_digits(out, s->high / u.by);
	buf_puts(out, "]");
}

void figure_within(struct buf *out, enum report_unit unit, const struct stats *s, size_t room)
{
	size_t start = out->len;
	double down = s->median - s->low, up = s->high - s->median;

	figure_interval(out, unit, s, "-");
	if (out->len - start <= room || s->median <= 0)
		return;
	out->len = start;
	figure_put(out, unit, s->median);
	up = (down > up ? down : up) / s->median * 100;
	buf_printf(out, " +-%.*f %%", up < 0.95, up);
}
