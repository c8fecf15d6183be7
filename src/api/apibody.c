/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apibody.h"
#include "api/apiendpoint.h"
#include "api/apihost.h"
#include "api/apiread.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/request.h"
#include "fmt/json.h"
#include "spec/health.h"

#include <string.h>

#define STOP_PRESET 10 /* as the command line's, cli/instance_opts.c */

/* ---- POST /containers/create ---- */

struct create {
	const char *hostname, *domainname, *user, *image, *workdir, *stop_signal, *mac;
	bool in, out, err, tty, open_stdin, once, no_network;
	struct health health;
	struct strs env, cmd, expose, volumes;
	const char *entrypoint, *host, *networking; /* JSON */
	struct jbind_map labels;
	struct jbind_optint stop_timeout;
};
#define K(member, key, type) JB(struct create, member, key, JBIND_##type)
static const struct jbind_field create_fields[] = {
    K(hostname, "Hostname", STR),
    K(domainname, "Domainname", STR),
    K(user, "User", STR),
    K(image, "Image", STR),
    K(workdir, "WorkingDir", STR),
    K(stop_signal, "StopSignal", STR),
    K(in, "AttachStdin", BOOL),
    K(out, "AttachStdout", BOOL),
    K(err, "AttachStderr", BOOL),
    K(tty, "Tty", BOOL),
    K(open_stdin, "OpenStdin", BOOL),
    K(once, "StdinOnce", BOOL),
    K(env, "Env", STRS),
    K(cmd, "Cmd", STRS),
    K(expose, "ExposedPorts", KEYS),
    K(volumes, "Volumes", KEYS),
    K(entrypoint, "Entrypoint", RAW),
    K(host, "HostConfig", RAW),
    K(networking, "NetworkingConfig", RAW),
    K(labels, "Labels", MAP),
    K(mac, "MacAddress", STR),
    K(no_network, "NetworkDisabled", BOOL),
    JB(struct create, health, "Healthcheck", JBIND_OBJ, .sub = &health_table),
    K(stop_timeout, "StopTimeout", OPTINT),
    JB_END};
#undef K
static const struct jbind create_table = {sizeof(struct create), create_fields, false};

static const char *text_of(const char *s)
{
	return s && *s ? s : NULL;
}

/* "sh" and ["sh"] are both docker's; null and absent leave the image's, [] and [""] clear it. */
static int entrypoint(const char *json, struct arena *a, struct request *q, struct err *e)
{
	auto_json struct json *j = NULL;
	int r = json ? json_parse(json, strlen(json), "Entrypoint", &j, e) : 0;
	const char *s = json_string(j);

	if (r < 0 || !j)
		return r;
	q->entrypoint_set = true;
	if (s && *s)
		arena_strs_add(a, &q->entrypoint, arena_dup(a, s));
	if (s)
		return 0;
	for (size_t i = 0; i < json_length(j); i++) {
		s = json_string(json_at(j, i));
		if (!s)
			return err_set(e, ERR_USAGE, "Entrypoint is no list of strings");
		if (*s || json_length(j) > 1)
			arena_strs_add(a, &q->entrypoint, arena_dup(a, s));
	}
	return json_is_array(j) ? 0 : err_set(e, ERR_USAGE, "Entrypoint is no list of strings");
}

static bool same_place(const char *x, size_t n, const char *y)
{
	size_t m = strlen(y);

	while (n > 1 && x[n - 1] == '/')
		n--;
	while (m > 1 && y[m - 1] == '/')
		m--;
	return n == m && strncmp(x, y, n) == 0;
}

/* Whether something of its own is mounted there: clients (compose, python's) name the destination
 * of a bind among the volumes, too. */
static bool is_mounted(const struct request *q, const char *place)
{
	for (size_t i = 0; i < q->volumes.n; i++) {
		const char *colon = strchr(q->volumes.v[i], ':');

		if (colon && same_place(colon + 1, strcspn(colon + 1, ":"), place))
			return true;
	}
	for (size_t i = 0; i < q->mounts.n; i++) {
		const char *target = strstr(q->mounts.v[i], ",target=") + strlen(",target=");

		if (same_place(target, strcspn(target, ","), place))
			return true;
	}
	for (size_t i = 0; i < q->tmpfs.n; i++)
		if (same_place(q->tmpfs.v[i], strcspn(q->tmpfs.v[i], ":"), place))
			return true;
	return false;
}

/* Without a test the image's stays, with other times. */
static int health(const struct health *h, struct request *q, struct err *e)
{
	int r = health_check(h, e);

	q->no_healthcheck = h->test.n == 1 && streq(h->test.v[0], "NONE");
	if (r < 0 || q->no_healthcheck)
		return r;
	q->health_test = h->test;
	q->health_interval_ns = h->interval_ns;
	q->health_timeout_ns = h->timeout_ns;
	q->health_start_period_ns = h->start_period_ns;
	q->health_start_interval_ns = h->start_interval_ns;
	q->health_retries = h->retries;
	return 0;
}

static int process(const struct create *b, struct arena *a, struct request *q, struct err *e)
{
	int r;

	if (!text_of(b->image))
		return err_set(e, ERR_USAGE, "the body names no Image");
	q->image = b->image;
	q->hostname = text_of(b->hostname);
	q->domainname = text_of(b->domainname);
	q->user = text_of(b->user);
	q->workdir = text_of(b->workdir);
	q->stop_signal = text_of(b->stop_signal);
	q->stop_timeout_s =
	    b->stop_timeout.set ? b->stop_timeout : (struct jbind_optint){true, STOP_PRESET};
	q->tty = b->tty;
	q->open_stdin = b->open_stdin;
	q->args = b->cmd;
	q->expose = b->expose;
	q->env = b->env;
	for (size_t i = 0; i < b->env.n; i++)
		if (!strchr(b->env.v[i], '=') || *b->env.v[i] == '=')
			return err_set(e, ERR_UNSUPPORTED,
				       "Env: '%.60s' is not KEY=VALUE, and to remove one of the "
				       "image's is not possible",
				       b->env.v[i]);
	for (size_t i = 0; i < b->volumes.n; i++)
		if (!is_mounted(q, b->volumes.v[i]))
			arena_strs_add(a, &q->volumes, b->volumes.v[i]);
	if (b->in)
		arena_strs_add(a, &q->attach, "stdin");
	if (b->out)
		arena_strs_add(a, &q->attach, "stdout");
	if (b->err)
		arena_strs_add(a, &q->attach, "stderr");
	apiread_pairs(&b->labels, a, &q->labels);
	q->mac = text_of(b->mac);
	if (b->no_network)
		q->network = "none";
	r = health(&b->health, q, e);
	return r < 0 ? r : entrypoint(b->entrypoint, a, q, e);
}

int apibody_create(const char *text, size_t len, struct arena *a, struct request *out,
		   struct err *e)
{
	auto_json struct json *j = NULL;
	struct create b = {0};
	int r = apiread_parse(text, len, &j, e);

	*out = (struct request){0};
	if (r == 0)
		r = apiread_table(&create_table, j, &b, a, "", e);
	if (r == 0)
		r = apihost_read(b.host, a, out, e);
	if (r == 0)
		r = process(&b, a, out, e);
	return r < 0 ? r : apiendpoint_networking(b.networking, a, out, e);
}

/* ---- exec ---- */

#define X(member, key, type) JB(struct apibody_exec, member, key, JBIND_##type)
static const struct jbind_field exec_fields[] = {
    X(tty, "Tty", BOOL), X(in, "AttachStdin", BOOL), X(out, "AttachStdout", BOOL),
    X(err, "AttachStderr", BOOL), X(detach, "Detach", BOOL), /* it is said again at the start */
    X(user, "User", STR), X(workdir, "WorkingDir", STR), X(detach_keys, "DetachKeys", STR),
    X(env, "Env", STRS), X(args, "Cmd", STRS), X(size, "ConsoleSize", NUMS),
    X(said, "Container", STR), /* what the path says */
    /* Not the client's: cleared when it is one. */
    X(container, "caisson.container", STR), X(running, "caisson.running", BOOL),
    X(done, "caisson.done", BOOL), X(pid, "caisson.pid", INT), X(code, "caisson.code", INT),
    JB_END};
#undef X
const struct jbind apibody_exec_table = {sizeof(struct apibody_exec), exec_fields, false};

int apibody_exec(const char *text, size_t len, struct arena *a, struct apibody_exec *out,
		 struct err *e)
{
	auto_json struct json *j = NULL;
	int r = apiread_parse(text, len, &j, e);

	*out = (struct apibody_exec){0};
	if (r == 0)
		r = apiread_table(&apibody_exec_table, j, out, a, "", e);
	if (r < 0)
		return r;
	if (!out->args.n || !*out->args.v[0])
		return err_set(e, ERR_USAGE, "No exec command specified");
	out->container = NULL;
	out->running = out->done = false;
	out->pid = out->code = 0;
	return 0;
}

void apibody_size(const struct jbind_nums *n, unsigned int *rows, unsigned int *columns)
{
	if (n->n != 2 || n->v[0] < 1 || n->v[0] > 65535 || n->v[1] < 1 || n->v[1] > 65535)
		return;
	*rows = (unsigned int)n->v[0];
	*columns = (unsigned int)n->v[1];
}

struct start_body {
	bool detach, tty;
	struct jbind_nums size;
};
static const struct jbind_field start_fields[] = {
    JB(struct start_body, detach, "Detach", JBIND_BOOL),
    JB(struct start_body, tty, "Tty", JBIND_BOOL),
    JB(struct start_body, size, "ConsoleSize", JBIND_NUMS), JB_END};
static const struct jbind start_table = {sizeof(struct start_body), start_fields, false};

int apibody_start(const char *text, size_t len, struct arena *a, struct apibody_start *out,
		  struct err *e)
{
	auto_json struct json *j = NULL;
	struct start_body b = {0};
	int r = apiread_parse(text, len, &j, e);

	if (r == 0)
		r = apiread_table(&start_table, j, &b, a, "", e);
	if (r < 0)
		return r;
	*out = (struct apibody_start){.detach = b.detach, .tty = b.tty};
	apibody_size(&b.size, &out->rows, &out->columns);
	return 0;
}
