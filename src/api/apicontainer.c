/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apibody.h"
#include "api/apicall.h"
#include "api/apihost.h"
#include "api/apiroute.h"
#include "api/apistream.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/conn.h"
#include "engine/create.h"
#include "engine/describe.h"
#include "engine/image_pull.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/prune.h"
#include "engine/psfilter.h"
#include "engine/remove.h"
#include "engine/rename.h"
#include "engine/request.h"
#include "engine/restart.h"
#include "engine/session.h"
#include "engine/stop.h"
#include "engine/update.h"
#include "engine/usage.h"
#include "engine/wait.h"
#include "fmt/publish.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool runs(const struct lookup *l)
{
	return l->state.status == INSTANCE_RUNNING || l->state.status == INSTANCE_PAUSED;
}

/* ---- list ---- */

static void ports(struct members *w, const struct lookup *l)
{
	members_array(w, "Ports");
	for (size_t i = 0; l->state.pid && i < l->i.ports.n; i++) {
		struct publish p;
		const char *s = l->i.ports.v[i], *at = strrchr(s, ':');

		if (!at || publish_parse(s, &p, NULL) < 0)
			continue;
		while (at > s && at[-1] != ':')
			at--;
		members_item(w);
		if (at > s) {
			char ip[64];

			snprintf(ip, sizeof(ip), "%.*s", (int)(at - s - 1), s);
			members_str(w, "IP", ip);
		}
		members_num(w, "PrivatePort", p.port_first);
		members_num(w, "PublicPort", strtol(at, NULL, 10));
		members_str(w, "Type", publish_proto_names[p.proto]);
		members_close(w);
	}
	members_end(w);
}

static void mounts(struct members *w, const struct lookup *l)
{
	members_array(w, "Mounts");
	for (size_t i = 0; i < l->i.mounts.n; i++) {
		const struct instance_mount *m = &l->i.mounts.v[i];

		members_item(w);
		members_str(w, "Type", m->type);
		if (m->name)
			members_str(w, "Name", m->name);
		members_str(w, "Source", m->source);
		members_str(w, "Destination", m->destination);
		members_close(w);
	}
	members_end(w);
}

static void row(struct apicall *c, struct members *w, const struct lookup *l, int64_t now,
		bool size)
{
	struct strs names = {0};
	const char *command = "", *network = l->network;

	for (size_t i = 0; i < l->i.command.n; i++)
		command = arena_printf(c->a, "%s%s%s", command, i ? " " : "", l->i.command.v[i]);
	arena_strs_add(c->a, &names, arena_printf(c->a, "/%s", l->i.name));
	if (!network) {
		struct request q = {0};

		jbind_parse(&request_table, l->i.request, strlen(l->i.request), &q, c->a, "request",
			    NULL);
		network = q.network ? q.network : "bridge";
	}
	members_str(w, "Id", l->i.id);
	members_list(w, "Names", &names, "[]");
	members_str(w, "Image", l->i.image);
	members_str(w, "ImageID", l->i.image_id);
	members_str(w, "Command", command);
	members_num(w, "Created", l->i.created_ns / 1000000000);
	ports(w, l);
	members_map(w, "Labels", &l->i.labels, c->a);
	members_str(w, "State", lookup_status(l));
	members_str(w, "Status", lookup_status_text(l, now, c->a));
	members_open(w, "HostConfig");
	members_str(w, "NetworkMode", network);
	members_str(w, "Isolation", l->i.isolation == PLAN_VM ? "vm" : "container");
	members_close(w);
	members_open(w, "NetworkSettings");
	members_open(w, "Networks");
	members_open(w, network);
	members_str(w, "IPAddress", l->state.address);
	members_close(w);
	members_close(w);
	members_close(w);
	mounts(w, l);
	if (size) {
		uint64_t own = 0, image = 0;

		usage_of_instance(c->s, &l->i, &own, &image);
		members_num(w, "SizeRw", (int64_t)own);
		members_num(w, "SizeRootFs", (int64_t)(own + image));
	}
}

int apicontainer_list(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct timespec t;
	struct lookups all;
	struct psfilter f;
	struct strs filters;
	int64_t limit = -1;
	bool every, size = apicall_yes(c, "size"), first = true;
	int r = apicall_number(c, "limit", -1, 1 << 20, &limit, e);

	if (r == 0)
		r = apicall_filters(c, &filters, e);
	if (r == 0)
		r = psfilter_init(c->s, &filters, &f, e);
	if (r == 0)
		r = lookup_all(c->s, c->a, &all, e);
	if (r < 0)
		return r;
	limit = limit == 0 ? -1 : limit;
	every = apicall_yes(c, "all") || limit > 0 || f.states;
	clock_gettime(CLOCK_REALTIME, &t);
	buf_puts(&b, "[");
	for (size_t i = 0; i < all.n && limit != 0; i++) {
		const struct lookup *l = &all.v[i];

		if ((!every && !l->state.pid) || !psfilter_fits(&f, l))
			continue;
		limit--;
		buf_puts(&b, first ? "{" : ",{");
		first = w.comma = false;
		row(c, &w, l, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec, size);
		buf_puts(&b, "}");
	}
	buf_puts(&b, "]\n");
	remove_leftovers(c->s, &all);
	return apicall_json(c, 200, &b, e);
}

/* ---- create, inspect, remove ---- */

int apicontainer_create(struct apicall *c, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX), b = BUF_INIT(4096);
	struct image_pull_opts pull = {.data = c->s->data,
				       .policy = IMAGE_PULL_NEVER,
				       .signature_policy = c->s->signature_policy};
	struct request q;
	struct instance i;
	auto_fd int dir = -1;
	int r = apicall_body(c, &body, e);

	if (r == 0)
		r = apibody_create(body.p, body.len, c->a, &q, e);
	if (r < 0)
		return r;
	q.name = apicall_query(c, "name");
	q.platform = pull.platform = apicall_query(c, "platform");
	if (q.name && *q.name == '/')
		q.name++;
	dir = create_instance(c->s, &q, &pull, c->a, &i, e);
	if (dir < 0)
		return dir;
	buf_printf(&b, "{\"Id\":\"%s\",\"Warnings\":[]}\n", i.id);
	return apicall_json(c, 201, &b, e);
}

int apicontainer_inspect(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0)
		r = describe_inspect(c->s, &l, &b, e);
	if (r < 0)
		return r;
	if (apicall_yes(c, "size")) {
		uint64_t own = 0, image = 0;

		usage_of_instance(c->s, &l.i, &own, &image);
		/* The object is ours and ends with a brace. */
		b.len--;
		buf_printf(&b, ",\"SizeRw\":%" PRIu64 ",\"SizeRootFs\":%" PRIu64 "}", own,
			   own + image);
	}
	return apicall_json(c, 200, &b, e);
}

int apicontainer_remove(struct apicall *c, struct err *e)
{
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0 && apicall_yes(c, "link"))
		return err_set(e, ERR_UNSUPPORTED, "link=1: there are no links");
	if (r == 0)
		r = remove_instance(c->s, &l.i,
				    (apicall_yes(c, "force") ? REMOVE_FORCE : 0u) |
					(apicall_yes(c, "v") ? REMOVE_VOLUMES : 0u),
				    e);
	if (r < 0)
		return r;
	remove_leftovers(c->s, NULL);
	return apicall_nothing(c, e);
}

int apicontainer_rename(struct apicall *c, struct err *e)
{
	const char *name = apicall_query(c, "name");
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0 && !name)
		return err_set(e, ERR_USAGE, "parameter 'name' is missing");
	if (r == 0)
		r = rename_instance(c->s, &l, *name == '/' ? name + 1 : name, e);
	return r < 0 ? r : apicall_nothing(c, e);
}

int apicontainer_prune(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct prune_opts o = {0};
	struct prune_result done = {0};
	int r = apicall_filters(c, &o.filters, e);

	if (r == 0)
		r = prune_instances(c->s, &o, c->a, &done, e);
	if (r < 0)
		return r;
	buf_puts(&b, "{");
	members_list(&w, "ContainersDeleted", &done.instances, "[]");
	members_num(&w, "SpaceReclaimed", (int64_t)done.bytes);
	buf_puts(&b, "}\n");
	return apicall_json(c, 200, &b, e);
}

int apicontainer_update(struct apicall *c, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX), b = BUF_INIT(64);
	struct request change;
	struct lookup l;
	int r = apicall_body(c, &body, e);

	if (r == 0)
		r = apihost_update(body.p, body.len, c->a, &change, e);
	if (r == 0)
		r = apicall_instance(c, &l, e);
	if (r == 0)
		r = update_instance(c->s, &l, &change, e);
	if (r < 0)
		return r;
	buf_puts(&b, "{\"Warnings\":[]}\n");
	return apicall_json(c, 200, &b, e);
}

/* ---- its life ---- */

int apicontainer_start(struct apicall *c, struct err *e)
{
	struct err ignored = ERR_INIT;
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r < 0)
		return r;
	if (runs(&l))
		return exchange_send(c->x, 304, NULL, NULL, 0, e);
	r = apistream_start(c->s, &l.i, e);
	/* What never ran and was to be removed at its end is removed now. */
	if (r < 0 && l.i.auto_remove)
		remove_ended(c->s, l.i.id, 0, &ignored);
	return r < 0 ? r : apicall_nothing(c, e);
}

/* t and signal. */
static int how_to_stop(struct apicall *c, struct control_stop *how, struct err *e)
{
	const char *signal = apicall_query(c, "signal");
	int64_t t = INT64_MIN;
	int r = apicall_number(c, "t", -1, 1 << 30, &t, e);

	*how = (struct control_stop){0};
	if (r == 0 && t != INT64_MIN)
		how->timeout_ms = (struct jbind_optint){true, t < 0 ? -1 : t * 1000};
	if (r == 0 && signal) {
		r = request_signal(signal, e);
		how->signal = r;
	}
	return r < 0 ? r : 0;
}

int apicontainer_stop(struct apicall *c, struct err *e)
{
	struct control_stop how;
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0)
		r = how_to_stop(c, &how, e);
	if (r < 0)
		return r;
	r = stop_instance(c->s, &l.i, &how, e);
	if (r > 0)
		return exchange_send(c->x, 304, NULL, NULL, 0, e);
	return r < 0 ? r : apicall_nothing(c, e);
}

int apicontainer_restart(struct apicall *c, struct err *e)
{
	struct control_stop how;
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0)
		r = how_to_stop(c, &how, e);
	if (r == 0)
		r = restart_instance(c->s, &l, &how, e);
	return r < 0 ? r : apicall_nothing(c, e);
}

int apicontainer_kill(struct apicall *c, struct err *e)
{
	const char *signal = apicall_query(c, "signal");
	int n = signal ? request_signal(signal, e) : SIGKILL;
	struct lookup l;
	int r = n < 0 ? n : apicall_instance(c, &l, e);

	if (r == 0 && !runs(&l))
		return err_set(e, ERR_CONFLICT,
			       "cannot kill container: %s: container is not running", l.i.name);
	if (r == 0)
		r = conn_signal(c->s, l.i.id, n, e);
	return r < 0 ? r : apicall_nothing(c, e);
}

static int simple(struct apicall *c, enum wire_type type, struct err *e)
{
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0)
		r = conn_simple(c->s, l.i.id, type, e);
	return r < 0 ? r : apicall_nothing(c, e);
}

int apicontainer_pause(struct apicall *c, struct err *e)
{
	return simple(c, WIRE_PAUSE, e);
}

int apicontainer_unpause(struct apicall *c, struct err *e)
{
	return simple(c, WIRE_RESUME, e);
}

int apicontainer_wait(struct apicall *c, struct err *e)
{
	const char *said = apicall_query(c, "condition");
	enum wait_condition k = WAIT_NOT_RUNNING;
	char text[64];
	int64_t code = 0;
	struct lookup l;
	int r = apicall_instance(c, &l, e), n;

	while (r == 0 && said && wait_condition_names[k] && !streq(wait_condition_names[k], said))
		k++;
	if (r == 0 && !wait_condition_names[k])
		return err_set(e, ERR_USAGE, "invalid condition: \"%.40s\"", said);
	/* The head goes out before: clients start the instance when they have seen it. */
	if (r == 0)
		r = exchange_begin(c->x, 200, "application/json", e);
	if (r < 0)
		return r;
	apicall_leave_with_client(c);
	r = wait_instance(c->s, &l.i, k, &code, e);
	if (r < 0)
		return r;
	n = snprintf(text, sizeof(text), "{\"StatusCode\":%" PRId64 "}\n", code);
	return exchange_write(c->x, text, (size_t)n, e);
}

int apicontainer_resize(struct apicall *c, struct err *e)
{
	struct control_attach at = {0};
	auto_conn struct conn m = CONN_INIT;
	int64_t h = 0, w = 0;
	unsigned char size[4];
	struct lookup l;
	int r = apicall_number(c, "h", 1, 65535, &h, e);

	if (r == 0)
		r = apicall_number(c, "w", 1, 65535, &w, e);
	if (r == 0)
		r = apicall_instance(c, &l, e);
	if (r == 0 && (!h || !w))
		return err_set(e, ERR_USAGE, "parameters 'h' and 'w' are needed");
	if (r == 0)
		r = conn_open(c->s, l.i.id, &m, e);
	if (r == 0)
		r = conn_send_json(&m, WIRE_ATTACH, 1, &control_attach_table, &at, e);
	apistream_size(size, (unsigned int)h, (unsigned int)w);
	if (r == 0)
		r = conn_send(&m, WIRE_RESIZE, 1, size, sizeof(size), e);
	return r < 0 ? r : exchange_send(c->x, 200, NULL, "", 0, e);
}
