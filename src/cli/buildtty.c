/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/buildtty.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/str.h"
#include "build/builder.h"
#include "fmt/utf8.h"
#include "sys/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX  (16u << 10) /* of one message */
#define FRAME_MAX (1u << 20)
#define LINES	  4   /* of a running step's output */
#define TICK_MS	  100 /* between two drawings */
#define TIME_COLS 9

/* What the drawing process is told, in the memory layout of the one program that both are. */
struct message {
	int kind;
	unsigned int number, step, steps;
	int64_t ns;
	bool end; /* of all; number: of what failed */
	unsigned int stage_len, text_len;
};

struct buildtty {
	pid_t pid;
	int fd;
};

/* ---- the drawing process ---- */

enum state { ROW_RUNS, ROW_DONE, ROW_CACHED, ROW_FAILED };

struct row {
	unsigned int number, build; /* of two builds, one after the other */
	const char *stage, *name;
	enum state state;
	int64_t begun_ns, ns;
	char *lines[LINES]; /* the newest last; heap */
	struct buf open;    /* a line without its end */
};

struct screen {
	struct arena a;
	struct row *rows;
	size_t n;
	struct strs notes; /* warnings: they stay above */
	size_t noted;
	unsigned int drawn; /* lines, to be gone over again */
	int64_t begun_ns;
	bool color, over;
	unsigned int columns, height, build;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const char *visible(struct arena *a, const char *text, size_t len)
{
	auto_buf struct buf b = BUF_INIT(4 * TEXT_MAX + 64);

	utf8_visible(&b, arena_dupn(a, text, len));
	return arena_dupn(a, b.p, b.len);
}

/* Cells of a terminal that a character takes.  Source: Unicode 15, East Asian width, in blocks. */
static unsigned int cells(const char *s, size_t len)
{
	static const unsigned int wide[][2] = {
	    {0x1100, 0x115f}, {0x2e80, 0xa4cf},	  {0xac00, 0xd7a3},
	    {0xf900, 0xfaff}, {0xfe30, 0xfe6f},	  {0xff00, 0xff60},
	    {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
	unsigned int c = (unsigned char)*s;

	if (len > 1)
		c &= 0x3fu >> (len - 1);
	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	if (c >= 0x300 && c <= 0x36f)
		return 0;
	for (size_t i = 0; i < sizeof(wide) / sizeof(*wide); i++)
		if (c >= wide[i][0] && c <= wide[i][1])
			return 2;
	return 1;
}

/* As much of the text as fits into so many cells; how many it took. */
static unsigned int put_cut(struct buf *out, const char *text, unsigned int room)
{
	unsigned int used = 0;

	for (size_t len = strlen(text), i = 0; i < len;) {
		size_t n = utf8_sequence(text + i, len - i);
		unsigned int w = cells(text + i, n ? n : 1);

		n = n ? n : 1;
		if (used + w > room)
			break;
		buf_add(out, text + i, n);
		used += w;
		i += n;
	}
	return used;
}

static void put_color(const struct screen *s, struct buf *out, const char *code)
{
	if (s->color)
		buf_printf(out, "\033[%sm", code);
}

static void end_line(struct screen *s, struct buf *out)
{
	buf_puts(out, "\033[K\r\n");
	s->drawn++;
}

static void put_row(struct screen *s, const struct row *r, struct buf *out)
{
	static const char *const colors[] = {"0", "34", "34", "31"};
	static const char *const words[] = {"", "", "CACHED ", "ERROR "};
	unsigned int width = s->columns > 20 ? s->columns - 1 : 20, used;
	double t = (double)(r->state == ROW_RUNS ? now() - r->begun_ns : r->ns) / 1e9;
	const char *name = arena_printf(&s->a, " => %s%s", words[r->state], r->name);

	put_color(s, out, colors[r->state]);
	used = put_cut(out, name, width - TIME_COLS);
	buf_printf(out, "%*s%*.1fs", (int)(width - TIME_COLS - used), "", TIME_COLS - 1, t);
	put_color(s, out, "0");
	end_line(s, out);
	for (size_t i = 0; r->state == ROW_RUNS && i < LINES; i++)
		if (r->lines[i]) {
			put_color(s, out, "2");
			put_cut(out, arena_printf(&s->a, " => => %s", r->lines[i]), width);
			put_color(s, out, "0");
			end_line(s, out);
		}
}

static unsigned int height_of(const struct row *r)
{
	unsigned int h = 1;

	for (size_t i = 0; r->state == ROW_RUNS && i < LINES; i++)
		h += r->lines[i] != NULL;
	return h;
}

/* More than the terminal is high cannot be drawn again: those that are done go first. */
static size_t hidden(const struct screen *s)
{
	unsigned int all = 1, skip = 0;

	for (size_t i = 0; i < s->n; i++)
		all += height_of(&s->rows[i]);
	for (size_t i = 0; !s->over && i < s->n && all + 1 > s->height; i++)
		if (s->rows[i].state != ROW_RUNS) {
			all--;
			skip++;
		}
	return skip;
}

static void size_up(struct screen *s)
{
	struct winsize w = {0};

	s->columns = 80;
	s->height = 24;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row) {
		s->columns = w.ws_col;
		s->height = w.ws_row;
	}
}

static void draw(struct screen *s)
{
	auto_buf struct buf out = BUF_INIT(FRAME_MAX);
	size_t done = 0, skip;

	size_up(s);
	skip = hidden(s);
	for (size_t i = 0; i < s->n; i++)
		done += s->rows[i].state != ROW_RUNS;
	/* The cursor is out of the way until the end, and goes back over what was drawn. */
	buf_puts(&out, "\033[?25l");
	if (s->drawn)
		buf_printf(&out, "\033[%uA", s->drawn);
	buf_puts(&out, "\r");
	for (; s->noted < s->notes.n; s->noted++) {
		put_color(s, &out, "33");
		buf_puts(&out, s->notes.v[s->noted]);
		put_color(s, &out, "0");
		buf_puts(&out, "\033[K\r\n");
	}
	s->drawn = 0;
	put_cut(&out,
		arena_printf(&s->a, "[+] Building %.1fs (%zu/%zu)%s",
			     (double)(now() - s->begun_ns) / 1e9, done, s->n,
			     s->over ? " FINISHED" : ""),
		s->columns - 1);
	end_line(s, &out);
	for (size_t i = 0; i < s->n; i++)
		if (s->rows[i].state != ROW_RUNS && skip)
			skip--;
		else
			put_row(s, &s->rows[i], &out);
	buf_puts(&out, s->over ? "\033[J\033[?25h" : "\033[J");
	fd_write_all(STDERR_FILENO, out.p, out.len);
}

/* ---- what it is told ---- */

static struct row *find(struct screen *s, unsigned int number)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->rows[i].number == number)
			return &s->rows[i];
	return NULL;
}

static void finish(struct row *r, enum state state, int64_t ns)
{
	if (!r || r->state != ROW_RUNS)
		return;
	r->state = state;
	r->ns = ns;
}

static void add_row(struct screen *s, const struct message *m, const char *stage, const char *text)
{
	struct row *r;
	size_t at;

	/* What only describes is done when the next one begins. */
	for (size_t i = 0; i < s->n; i++)
		if (streq(s->rows[i].stage, stage))
			finish(&s->rows[i], ROW_DONE, 0);
	/* In the order of the file, whichever stage is first; a second build is below the first. */
	r = find(s, m->number);
	if (r && r->build == s->build)
		s->build++;
	s->rows = arena_room(&s->a, s->rows, s->n, sizeof(*r));
	at = s->n++;
	for (; at && s->rows[at - 1].build == s->build && s->rows[at - 1].number > m->number; at--)
		s->rows[at] = s->rows[at - 1];
	r = &s->rows[at];
	*r = (struct row){.number = m->number,
			  .build = s->build,
			  .stage = arena_dup(&s->a, stage),
			  .name = arena_printf(&s->a, "[%s %u/%u] %s", stage, m->step, m->steps,
					       visible(&s->a, text, strlen(text))),
			  .begun_ns = now(),
			  .open = BUF_INIT(TEXT_MAX)};
}

static void add_line(struct row *r, const char *text, size_t len)
{
	auto_buf struct buf b = BUF_INIT(8 * TEXT_MAX);
	auto_arena struct arena a = ARENA_INIT;

	utf8_visible(&b, arena_dupn(&a, text, len));
	free(r->lines[0]);
	memmove(r->lines, r->lines + 1, (LINES - 1) * sizeof(char *));
	r->lines[LINES - 1] = strdup(b.p);
}

static void add_output(struct row *r, const char *text, size_t len)
{
	const char *nl;

	for (; (nl = memchr(text, '\n', len)); len -= (size_t)(nl + 1 - text), text = nl + 1) {
		buf_add(&r->open, text, (size_t)(nl - text));
		add_line(r, r->open.p, r->open.len);
		buf_free(&r->open);
		r->open = BUF_INIT(TEXT_MAX);
	}
	buf_add(&r->open, text, len);
}

static void take(struct screen *s, const struct message *m, const char *stage, const char *text)
{
	struct row *r = find(s, m->number);

	if (m->end) {
		for (size_t i = 0; i < s->n; i++)
			finish(&s->rows[i], s->rows[i].number == m->number ? ROW_FAILED : ROW_DONE,
			       m->number ? now() - s->rows[i].begun_ns : 0);
		s->over = true;
		return;
	}
	switch ((enum builder_event_kind)m->kind) {
	case BUILDER_STEP:
		add_row(s, m, stage, text);
		return;
	case BUILDER_WARNING:
		arena_strs_add(&s->a, &s->notes, visible(&s->a, text, m->text_len));
		return;
	case BUILDER_OUTPUT:
		if (r)
			add_output(r, text, m->text_len);
		return;
	case BUILDER_MISS:
		if (r)
			add_line(r, text, m->text_len);
		return;
	case BUILDER_CACHED:
		finish(r, ROW_CACHED, 0);
		return;
	case BUILDER_DONE:
		finish(r, ROW_DONE, m->ns);
		return;
	case BUILDER_BASE:
	case BUILDER_DEBUG:
	case BUILDER_PIN:
		return;
	}
}

/* false: nobody will say anything any more. */
static bool receive(struct screen *s, int fd)
{
	char room[sizeof(struct message) + 2 * TEXT_MAX];
	struct message m;
	auto_arena struct arena a = ARENA_INIT;
	ssize_t n = recv(fd, room, sizeof(room), 0);

	if (n < 0 && errno == EINTR)
		return true;
	if (n < (ssize_t)sizeof(m))
		return false;
	memcpy(&m, room, sizeof(m));
	if ((size_t)n != sizeof(m) + m.stage_len + m.text_len)
		return true;
	take(s, &m, arena_dupn(&a, room + sizeof(m), m.stage_len),
	     arena_dupn(&a, room + sizeof(m) + m.stage_len, m.text_len));
	return !s->over;
}

static void drawing(int fd, bool color)
{
	struct screen s = {.color = color, .begun_ns = now()};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t drawn_ns = 0;
	bool more = true;

	/* The end of the build is what ends it, and the terminal is left as it was. */
	sigaction(SIGINT, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	while (more) {
		if (poll(&p, 1, TICK_MS) > 0)
			more = receive(&s, fd);
		if (more && now() - drawn_ns >= TICK_MS * 1000000ll && (s.n || s.notes.n)) {
			draw(&s);
			drawn_ns = now();
		}
	}
	s.over = true;
	if (s.n || s.notes.n)
		draw(&s);
}

/* ---- the build's side ---- */

struct buildtty *buildtty_open(bool color)
{
	struct buildtty *t = calloc(1, sizeof(*t));
	int pair[2];

	if (!t)
		abort();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(t);
		return NULL;
	}
	t->pid = fork();
	if (t->pid == 0) {
		/* Locks and ends of pipes are not its to hold. */
		if (dup2(pair[1], 3) != 3)
			_exit(1);
		fd_close_from(4);
		drawing(3, color);
		_exit(0);
	}
	close(pair[1]);
	t->fd = pair[0];
	if (t->pid < 0) {
		close(t->fd);
		free(t);
		return NULL;
	}
	return t;
}

static void send_message(struct buildtty *t, struct message m, const char *stage, const char *text)
{
	struct iovec v[] = {{&m, sizeof(m)},
			    {(void *)(uintptr_t)stage, m.stage_len},
			    {(void *)(uintptr_t)text, m.text_len}};
	struct msghdr h = {.msg_iov = v, .msg_iovlen = 3};

	/* One that cannot be shown any more is no reason to stop. */
	while (sendmsg(t->fd, &h, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

void buildtty_event(struct buildtty *t, const struct builder_event *ev)
{
	const char *stage = ev->stage ? ev->stage : "", *text = ev->text ? ev->text : "";
	size_t len = ev->kind == BUILDER_OUTPUT ? ev->len : strlen(text), at = 0;
	size_t stage_len = strlen(stage);

	if (ev->kind != BUILDER_OUTPUT && len > TEXT_MAX)
		len = TEXT_MAX;
	do {
		size_t n = len - at < TEXT_MAX ? len - at : TEXT_MAX;

		send_message(
		    t,
		    (struct message){
			.kind = ev->kind,
			.number = ev->number,
			.step = ev->step,
			.steps = ev->steps,
			.ns = ev->ns,
			.stage_len = (unsigned int)(stage_len < TEXT_MAX ? stage_len : TEXT_MAX),
			.text_len = (unsigned int)n},
		    stage, text + at);
		at += n;
	} while (at < len);
}

void buildtty_close(struct buildtty *t, unsigned int failed)
{
	send_message(t, (struct message){.number = failed, .end = true}, "", "");
	close(t->fd);
	while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(t);
}
