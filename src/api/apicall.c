/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apicall.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "fmt/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const char *apicall_query(struct apicall *c, const char *name)
{
	const char *v = http_request_query(&c->x->request, name, c->a);

	return v && *v ? v : NULL;
}

bool apicall_yes(struct apicall *c, const char *name)
{
	const char *v = apicall_query(c, name);

	return v && !streq(v, "0") && strcasecmp(v, "no") != 0 && strcasecmp(v, "false") != 0 &&
	       strcasecmp(v, "none") != 0;
}

int apicall_number(struct apicall *c, const char *name, int64_t min, int64_t max, int64_t *out,
		   struct err *e)
{
	const char *v = apicall_query(c, name);
	char *end;
	long long n;

	if (!v)
		return 0;
	errno = 0;
	n = strtoll(v, &end, 10);
	if (errno || *end || n < min || n > max)
		return err_set(e, ERR_USAGE, "parameter '%s': '%.40s' is not a number in its range",
			       name, v);
	*out = n;
	return 0;
}

int apicall_time(struct apicall *c, const char *name, int64_t *ns, struct err *e)
{
	const char *v = apicall_query(c, name);
	int64_t part = 0, scale = 100000000;
	unsigned long long s;
	char *end;

	if (!v)
		return 0;
	errno = 0;
	s = strtoull(v, &end, 10);
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++, scale /= 10)
			part += (*end - '0') * scale;
	if (errno || *v < '0' || *v > '9' || *end || s > INT64_MAX / 1000000000 - 1)
		return err_set(e, ERR_USAGE, "parameter '%s': '%.40s' is no time in seconds", name,
			       v);
	*ns = (int64_t)s * 1000000000 + part;
	return 0;
}

struct filter_walk {
	struct apicall *c;
	struct strs *out;
	const char *key;
};

static int filter_value(const char *value, struct json *yes, void *arg)
{
	struct filter_walk *w = arg;

	arena_strs_add(w->c->a, w->out, arena_printf(w->c->a, "%s=%s", w->key, value));
	return 0;
}

static int filter_key(const char *key, struct json *values, void *arg)
{
	struct filter_walk *w = arg;

	w->key = key;
	if (json_is_object(values))
		return json_each(values, filter_value, w);
	if (!json_is_array(values))
		return -EINVAL;
	for (size_t i = 0; i < json_length(values); i++) {
		const char *v = json_string(json_at(values, i));

		if (!v)
			return -EINVAL;
		filter_value(v, NULL, w);
	}
	return 0;
}

int apicall_filters(struct apicall *c, struct strs *out, struct err *e)
{
	const char *text = apicall_query(c, "filters");
	struct filter_walk w = {.c = c, .out = out};
	auto_json struct json *j = NULL;

	*out = (struct strs){0};
	if (!text)
		return 0;
	if (json_parse(text, strlen(text), "filters", &j, NULL) < 0 || !json_is_object(j) ||
	    json_each(j, filter_key, &w) < 0)
		return err_set(e, ERR_USAGE, "parameter 'filters' is no JSON object of lists");
	return 0;
}

int apicall_body(struct apicall *c, struct buf *out, struct err *e)
{
	const char *type = http_request_field(&c->x->request, "Content-Type");
	int r = exchange_slurp(c->x, out, e);

	if (r < 0)
		return r;
	if (!out->len) {
		buf_puts(out, "{}");
		return 0;
	}
	/* A page of another origin can send a form or plain text without asking, JSON it cannot. */
	if (!type || strncasecmp(type, "application/json", 16) != 0)
		return err_set(e, ERR_USAGE, "Content-Type is not application/json");
	return 0;
}

int apicall_instance(struct apicall *c, struct lookup *out, struct err *e)
{
	return lookup_find(c->s, c->id, c->a, out, e);
}

static int client_fd;

/* SIGIO comes for data and room, too. */
static void on_client(int sig)
{
	struct pollfd p = {.fd = client_fd, .events = POLLRDHUP};
	int saved = errno;

	if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR | POLLRDHUP))
		_exit(0);
	errno = saved;
}

void apicall_leave_with_client(struct apicall *c)
{
	client_fd = exchange_fd(c->x);
	sigaction(SIGIO, &(struct sigaction){.sa_handler = on_client, .sa_flags = SA_RESTART},
		  NULL);
	fcntl(client_fd, F_SETOWN, getpid());
	fcntl(client_fd, F_SETFL, fcntl(client_fd, F_GETFL) | O_ASYNC);
	on_client(SIGIO);
}

int apicall_json(struct apicall *c, int status, const struct buf *b, struct err *e)
{
	int r = buf_fail(b, "answer", e);

	return r < 0 ? r : exchange_send(c->x, status, "application/json", b->p, b->len, e);
}

int apicall_nothing(struct apicall *c, struct err *e)
{
	return exchange_send(c->x, 204, NULL, NULL, 0, e);
}

int apicall_refuse(struct apicall *c, int status, const char *message, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(16384);

	buf_puts(&b, "{\"message\":");
	json_quote(&b, message);
	buf_puts(&b, "}\n");
	return apicall_json(c, status, &b, e);
}
