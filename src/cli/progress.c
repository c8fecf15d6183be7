/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "base/buf.h"
#include "base/opt.h"
#include "base/str.h"
#include "engine/image_pull.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_NS 50000000
#define BAR	  30
#define ROOM	  41 /* columns of a line without its bar, at most */

static const char *const modes[] = {"auto", "tty", "plain", "json", "none", NULL};
_Static_assert(sizeof(modes) / sizeof(*modes) == PROGRESS_MODE_MAX_ + 1, "a word per mode");

const struct opt progress_opts[] = {
    OPT(struct progress_args, quiet, .name = "quiet", .letter = 'q', .type = OPT_BOOL,
	.help = "show no progress"),
    OPT(struct progress_args, mode, .name = "progress", .type = OPT_ENUM,
	.arg = "auto|tty|plain|json|none", .values = modes, .preset = "auto",
	.help = "bars on a terminal, plain lines, JSON lines, or nothing, on standard error"),
    OPT_END,
};

/* A terminal that says it cannot move its cursor (as editors have) gets lines. */
static bool is_dumb(const struct session *s)
{
	for (char **v = s->environment; v && *v; v++)
		if (streq(*v, "TERM=dumb"))
			return true;
	return false;
}

void progress_init(struct progress *p, const struct progress_args *a, const struct session *s)
{
	int mode = a->quiet ? PROGRESS_NONE : a->mode;

	if (mode == PROGRESS_AUTO)
		mode = isatty(STDERR_FILENO) && !is_dumb(s) ? PROGRESS_TTY : PROGRESS_PLAIN;
	*p = (struct progress){.mode = mode};
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

/* ---- a terminal ---- */

struct screen {
	int bar; /* columns, 0: no room for one */
	unsigned int lines;
};

static struct screen measure(void)
{
	struct winsize w = {0};
	struct screen s = {.bar = BAR, .lines = PROGRESS_LAYERS};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0)
		return s;
	if (w.ws_col)
		s.bar = w.ws_col >= ROOM + BAR ? BAR : w.ws_col > ROOM + 4 ? w.ws_col - ROOM : 0;
	/* What scrolled away could not be drawn over. */
	if (w.ws_row)
		s.lines = w.ws_row > 2 ? w.ws_row - 1 : 1;
	return s;
}

static void draw_layer(const struct progress *p, unsigned int i, int bar, struct buf *out)
{
	uint64_t done = p->layers[i].done, total = p->layers[i].total;
	int filled = total ? (int)((uint64_t)bar * (done < total ? done : total) / total) : bar;
	char a[16], b[16];

	buf_printf(out, "\r\033[K%s  %-7s", p->layers[i].digest, p->layers[i].what);
	if (total && done && bar)
		buf_printf(out, " [%.*s%*s] %s/%s", filled,
			   "==============================", bar - filled, "",
			   progress_size(done, a), progress_size(total, b));
	buf_puts(out, "\n");
}

/* Which layers have a line: all, or as many as there is room for, those at work first. */
static unsigned int choose(const struct progress *p, unsigned int room, bool shown[PROGRESS_LAYERS])
{
	unsigned int n = 0;

	for (int over = 0; over < 2; over++)
		for (unsigned int i = PROGRESS_LAYERS; i-- > 0 && n < room;)
			if (p->layers[i].what && p->layers[i].over == (over == 1)) {
				shown[i] = true;
				n++;
			}
	return n;
}

/* Up over what was drawn, then all of it again, in one write. */
static void draw(struct progress *p)
{
	struct buf out = BUF_INIT(1 << 16);
	struct screen screen = measure();
	bool shown[PROGRESS_LAYERS] = {false};
	unsigned int n = choose(p, screen.lines, shown);

	if (p->lines)
		buf_printf(&out, "\033[%uA", p->lines);
	for (unsigned int i = 0; i < PROGRESS_LAYERS; i++)
		if (shown[i])
			draw_layer(p, i, screen.bar, &out);
	/* A window that became smaller keeps fewer. */
	if (n < p->lines)
		buf_puts(&out, "\033[J");
	p->lines = n;
	p->drawn_ns = trace_now_ns();
	fd_write_all(STDERR_FILENO, out.p, out.len);
	buf_free(&out);
}

static const char *const words[] = {"resolved", "exists", "fetch", "fetch",
				    "unpack",	"done",	  "push",  "mounted"};

static void show_tty(struct progress *p, const struct image_event *ev)
{
	bool bytes = ev->kind == IMAGE_EVENT_BYTES;

	if (ev->layer >= PROGRESS_LAYERS)
		return;
	if (!bytes || !p->pushes)
		p->layers[ev->layer].what = words[ev->kind];
	p->layers[ev->layer].done = ev->done;
	p->layers[ev->layer].total = ev->total;
	p->layers[ev->layer].over = ev->kind == IMAGE_EVENT_DONE ||
				    ev->kind == IMAGE_EVENT_EXISTS ||
				    ev->kind == IMAGE_EVENT_MOUNTED;
	snprintf(p->layers[ev->layer].digest, sizeof(p->layers[0].digest), "%.12s", ev->digest + 7);
	if (!bytes || trace_now_ns() - p->drawn_ns > REDRAW_NS)
		draw(p);
}

/* ---- lines ---- */

static void show_plain(const struct image_event *ev)
{
	bool begins = ev->kind == IMAGE_EVENT_START || ev->kind == IMAGE_EVENT_SEND;
	char size[16];

	if (ev->kind != IMAGE_EVENT_BYTES && ev->kind != IMAGE_EVENT_UNPACK)
		fprintf(stderr, "%.12s: %s%s%s\n", ev->digest + 7, words[ev->kind],
			begins ? " " : "", begins ? progress_size(ev->total, size) : "");
}

static void show_json(const struct image_event *ev)
{
	struct buf b = BUF_INIT(1 << 16);

	buf_printf(&b, "{\"event\":\"%s\",\"source\":",
		   ev->kind == IMAGE_EVENT_BYTES ? "bytes" : words[ev->kind]);
	json_quote(&b, ev->source);
	buf_printf(&b, ",\"digest\":\"%s\"", ev->digest);
	if (ev->kind != IMAGE_EVENT_RESOLVED)
		buf_printf(&b, ",\"layer\":%u,\"done\":%" PRIu64 ",\"total\":%" PRIu64, ev->layer,
			   ev->done, ev->total);
	buf_printf(&b, ",\"layers\":%u}\n", ev->layers);
	fd_write_all(STDERR_FILENO, b.p, b.len);
	buf_free(&b);
}

void progress_show(const struct image_event *ev, void *arg)
{
	struct progress *p = arg;

	if (p->mode == PROGRESS_NONE)
		return;
	if (p->mode == PROGRESS_JSON) {
		show_json(ev);
		return;
	}
	if (ev->kind == IMAGE_EVENT_RESOLVED) {
		fprintf(stderr, "%s: %s, %u layer%s\n", ev->source, ev->digest, ev->layers,
			ev->layers == 1 ? "" : "s");
		/* Another image of the same archive begins; its layers are drawn below. */
		*p = (struct progress){.mode = p->mode};
		return;
	}
	p->pushes |= ev->kind == IMAGE_EVENT_SEND;
	if (p->mode == PROGRESS_TTY)
		show_tty(p, ev);
	else
		show_plain(ev);
}

void progress_done(struct progress *p)
{
	if (p->mode == PROGRESS_TTY && p->lines)
		draw(p);
}
