/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "base/buf.h"
#include "base/str.h"
#include "engine/image_pull.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <stdio.h>
#include <unistd.h>

#define REDRAW_NS 50000000
#define BAR	  30

void progress_init(struct progress *p, bool quiet)
{
	*p = (struct progress){.quiet = quiet, .terminal = isatty(STDERR_FILENO)};
}

const char *progress_size(uint64_t bytes, char out[16])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)bytes;
	int u = 0;

	while (v >= 999.5 && u < 6) {
		v /= 1000;
		u++;
	}
	if (u == 0)
		snprintf(out, 16, "%lluB", (unsigned long long)bytes);
	else
		snprintf(out, 16,
			 v < 9.995   ? "%.2f%s"
			 : v < 99.95 ? "%.1f%s"
				     : "%.0f%s",
			 v, units[u]);
	return out;
}

static void draw_layer(const struct progress *p, unsigned int i, struct buf *out)
{
	uint64_t done = p->layers[i].done, total = p->layers[i].total;
	int filled = total ? (int)(BAR * (done < total ? done : total) / total) : BAR;
	char a[16], b[16];

	buf_printf(out, "\r\033[K%s  %-9s", p->layers[i].digest, p->layers[i].what);
	if (p->layers[i].total && done)
		buf_printf(out, " [%.*s%*s] %s/%s", filled,
			   "==============================", BAR - filled, "",
			   progress_size(done, a), progress_size(total, b));
	buf_puts(out, "\n");
}

/* Up over what was drawn, then all of it again, in one write. */
static void draw(struct progress *p)
{
	struct buf out = BUF_INIT(1 << 16);
	unsigned int n = 0;

	if (p->lines)
		buf_printf(&out, "\033[%uA", p->lines);
	for (unsigned int i = 0; i < PROGRESS_LAYERS; i++)
		if (p->layers[i].what) {
			draw_layer(p, i, &out);
			n++;
		}
	p->lines = n;
	p->drawn_ns = trace_now_ns();
	fd_write_all(STDERR_FILENO, out.p, out.len);
	buf_free(&out);
}

static void line(const struct image_event *ev, const char *what)
{
	char size[16];

	bool begins = ev->kind == IMAGE_EVENT_START || ev->kind == IMAGE_EVENT_SEND;

	fprintf(stderr, "%.12s: %s%s%s\n", ev->digest + 7, what, begins ? " " : "",
		begins ? progress_size(ev->total, size) : "");
}

void progress_show(const struct image_event *ev, void *arg)
{
	static const char *const words[] = {"",	      "exists", "fetch", "fetch",
					    "unpack", "done",	"push",	 "mounted"};
	struct progress *p = arg;

	if (p->quiet)
		return;
	if (ev->kind == IMAGE_EVENT_RESOLVED) {
		fprintf(stderr, "%s: %s, %u layer%s\n", ev->source, ev->digest, ev->layers,
			ev->layers == 1 ? "" : "s");
		/* Another image of the same archive begins; its layers are drawn below. */
		progress_init(p, false);
		return;
	}
	p->pushes |= ev->kind == IMAGE_EVENT_SEND;
	if (!p->terminal) {
		if (ev->kind != IMAGE_EVENT_BYTES && ev->kind != IMAGE_EVENT_UNPACK)
			line(ev, words[ev->kind]);
		return;
	}
	if (ev->layer >= PROGRESS_LAYERS)
		return;
	if (ev->kind != IMAGE_EVENT_BYTES || !p->pushes)
		p->layers[ev->layer].what = words[ev->kind];
	p->layers[ev->layer].done = ev->done;
	p->layers[ev->layer].total = ev->total;
	snprintf(p->layers[ev->layer].digest, sizeof(p->layers[0].digest), "%.12s", ev->digest + 7);
	if (ev->kind != IMAGE_EVENT_BYTES || trace_now_ns() - p->drawn_ns > REDRAW_NS)
		draw(p);
}

void progress_done(struct progress *p)
{
	if (p->terminal && !p->quiet && p->lines)
		draw(p);
}
