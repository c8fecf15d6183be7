/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/buildjson.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/sha256.h"
#include "base/str.h"
#include "build/builder.h"
#include "fmt/base64.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/timestamp.h"
#include "sys/fd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX (4u << 20)

/* A step.  Instructions that only describe are never told to be done: they are when the next step
 * of their stage begins. */
struct vertex {
	unsigned int number;
	const char *stage, *name, *digest, *input; /* input: the step before it, or NULL */
	int64_t started_ns;
	bool over;
};

struct buildjson {
	struct arena a;
	struct vertex *v;
	size_t n;
};

struct state {
	int64_t completed_ns; /* 0: not */
	bool cached;
	const char *error;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct buildjson *buildjson_open(void)
{
	struct buildjson *j = calloc(1, sizeof(*j));

	if (!j)
		abort();
	return j;
}

static void put(struct buf *b)
{
	buf_puts(b, "\n");
	if (buf_fail(b, "", NULL) == 0)
		fd_write_all(STDERR_FILENO, b->p, b->len);
}

static void put_time(struct buf *b, int64_t ns)
{
	buf_puts(b, "\"");
	timestamp_print(ns, b);
	buf_puts(b, "\"");
}

static void tell(const struct vertex *x, const struct state *st)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX);

	buf_printf(&b, "{\"vertexes\":[{\"digest\":\"%s\"", x->digest);
	if (x->input)
		buf_printf(&b, ",\"inputs\":[\"%s\"]", x->input);
	buf_puts(&b, ",\"name\":");
	json_quote(&b, x->name);
	buf_puts(&b, ",\"started\":");
	put_time(&b, x->started_ns);
	if (st->completed_ns) {
		buf_puts(&b, ",\"completed\":");
		put_time(&b, st->completed_ns);
	}
	if (st->cached)
		buf_puts(&b, ",\"cached\":true");
	if (st->error) {
		buf_puts(&b, ",\"error\":");
		json_quote(&b, st->error);
	}
	buf_puts(&b, "}]}");
	put(&b);
}

static void complete(struct vertex *x, const struct state *st)
{
	if (!x->over)
		tell(x, st);
	x->over = true;
}

static struct vertex *find(struct buildjson *j, unsigned int number)
{
	for (size_t i = j->n; i-- > 0;)
		if (j->v[i].number == number)
			return &j->v[i];
	return NULL;
}

static const char *digest_of(struct buildjson *j, const char *name, const char *input)
{
	const char *text = arena_printf(&j->a, "%s\n%s", input ? input : "", name);
	char out[DIGEST_LEN + 1];
	unsigned char sum[32];

	sha256_of(text, strlen(text), sum);
	digest_print(sum, out);
	return arena_dup(&j->a, out);
}

static void begin(struct buildjson *j, const struct builder_event *ev)
{
	struct vertex x = {
	    .number = ev->number, .stage = arena_dup(&j->a, ev->stage), .started_ns = now()};

	for (size_t i = j->n; !x.input && i-- > 0;)
		if (ev->step > 1 && streq(j->v[i].stage, x.stage)) {
			complete(&j->v[i], &(struct state){.completed_ns = j->v[i].started_ns});
			x.input = j->v[i].digest;
		}
	x.name = arena_printf(&j->a, "[%s %u/%u] %s", ev->stage, ev->step, ev->steps, ev->text);
	x.digest = digest_of(j, x.name, x.input);
	j->v = arena_room(&j->a, j->v, j->n, sizeof(x));
	j->v[j->n++] = x;
	tell(&x, &(struct state){0});
}

static void put_log(const struct vertex *x, int stream, const char *data, size_t len)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX);

	buf_printf(&b, "{\"logs\":[{\"vertex\":\"%s\",\"stream\":%d,\"data\":\"", x->digest,
		   stream);
	base64_print(&b, data, len);
	buf_puts(&b, "\",\"timestamp\":");
	put_time(&b, now());
	buf_puts(&b, "}]}");
	put(&b);
}

static void put_warning(const char *text)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX);

	buf_puts(&b, "{\"warnings\":[{\"level\":1,\"short\":\"");
	base64_print(&b, text, strlen(text));
	buf_puts(&b, "\"}]}");
	put(&b);
}

static void put_miss(const struct vertex *x, const char *why)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *text = arena_printf(&a, "not in the cache: %s\n", why);

	put_log(x, 2, text, strlen(text));
}

void buildjson_event(struct buildjson *j, const struct builder_event *ev)
{
	struct vertex *x = find(j, ev->number);

	switch ((enum builder_event_kind)ev->kind) {
	case BUILDER_STEP:
		begin(j, ev);
		return;
	case BUILDER_WARNING:
		put_warning(ev->text);
		return;
	case BUILDER_OUTPUT:
		if (x)
			put_log(x, 1, ev->text, ev->len);
		return;
	case BUILDER_MISS:
		if (x)
			put_miss(x, ev->text);
		return;
	case BUILDER_CACHED:
	case BUILDER_DONE:
		if (x)
			complete(x, &(struct state){.completed_ns = now(),
						    .cached = ev->kind == BUILDER_CACHED});
		return;
	case BUILDER_BASE:
	case BUILDER_DEBUG:
	case BUILDER_PIN:
		return;
	}
}

void buildjson_close(struct buildjson *j, unsigned int failed, const char *why)
{
	for (size_t i = 0; i < j->n; i++) {
		struct state st = {.completed_ns = j->v[i].started_ns};

		if (why)
			st = (struct state){
			    .completed_ns = now(),
			    .error = j->v[i].number == failed ? why : "another step failed"};
		complete(&j->v[i], &st);
	}
	arena_free(&j->a);
	free(j);
}
