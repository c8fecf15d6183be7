/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apicall.h"
#include "api/apiendpoint.h"
#include "api/apiread.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/network_ctl.h"
#include "engine/plug.h"
#include "engine/prune.h"

/* ---- POST /networks/create ---- */

struct pool {
	const char *subnet, *range, *gateway;
	struct jbind_map aux, reserved; /* one is the member's old name */
};
#define P(member, key, type) JB(struct pool, member, key, JBIND_##type)
static const struct jbind_field pool_fields[] = {
    P(subnet, "Subnet", STR),	       P(range, "IPRange", STR),       P(gateway, "Gateway", STR),
    P(aux, "AuxiliaryAddresses", MAP), P(reserved, "AuxAddress", MAP), JB_END};
#undef P
static const struct jbind pool_table = {sizeof(struct pool), pool_fields, false};

struct ipam {
	const char *driver;
	struct {
		struct pool *v;
		size_t n;
	} pools;
};
static const struct jbind_field ipam_fields[] = {
    JB(struct ipam, driver, "Driver", JBIND_STR),
    JB(struct ipam, pools, "Config", JBIND_LIST, .sub = &pool_table), JB_END};
static const struct jbind ipam_table = {sizeof(struct ipam), ipam_fields, false};

struct create {
	const char *name, *driver, *scope, *v4; /* v4: JSON, a bool that may be null */
	bool check_duplicate, internal, attachable;
	struct ipam ipam;
	struct jbind_map options, labels;
};
#define K(member, key, type, ...) JB(struct create, member, key, JBIND_##type, ##__VA_ARGS__)
static const struct jbind_field create_fields[] = {
    K(name, "Name", STR), K(driver, "Driver", STR), K(scope, "Scope", STR),
    K(v4, "EnableIPv4", RAW),
    /* Names are always unique here, and every network is attachable. */
    K(check_duplicate, "CheckDuplicate", BOOL), K(attachable, "Attachable", BOOL),
    K(internal, "Internal", BOOL), K(ipam, "IPAM", OBJ, .sub = &ipam_table),
    K(options, "Options", MAP), K(labels, "Labels", MAP), JB_END};
#undef K
const struct jbind apinetwork_table = {sizeof(struct create), create_fields, false};

static void add(struct apicall *c, struct strs *l, const char *v)
{
	if (v && *v)
		arena_strs_add(c->a, l, v);
}

static int wanted(struct apicall *c, const struct create *b, struct network_ctl_want *w,
		  struct err *e)
{
	const char *ipam = b->ipam.driver;

	if (!b->name || !*b->name)
		return err_set(e, ERR_USAGE, "the body names no network (Name)");
	if (ipam && *ipam && !streq(ipam, "default"))
		return err_set(e, ERR_UNSUPPORTED,
			       "IPAM.Driver '%.60s': addresses are given out by the engine itself",
			       ipam);
	if (b->scope && *b->scope && !streq(b->scope, "local"))
		return err_set(e, ERR_UNSUPPORTED, "Scope '%.60s': networks are this host's",
			       b->scope);
	if (b->v4 && streq(b->v4, "false"))
		return err_set(e, ERR_UNSUPPORTED, "EnableIPv4 false: every network has IPv4");
	*w = (struct network_ctl_want){.name = b->name,
				       .driver = b->driver && *b->driver ? b->driver : NULL,
				       .internal = b->internal};
	for (size_t i = 0; i < b->ipam.pools.n; i++) {
		const struct pool *p = &b->ipam.pools.v[i];

		add(c, &w->subnets, p->subnet);
		add(c, &w->ranges, p->range);
		add(c, &w->gateways, p->gateway);
		apiread_pairs(&p->aux, c->a, &w->aux);
		apiread_pairs(&p->reserved, c->a, &w->aux);
	}
	apiread_pairs(&b->options, c->a, &w->options);
	apiread_pairs(&b->labels, c->a, &w->labels);
	return 0;
}

int apinetwork_create(struct apicall *c, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX), b = BUF_INIT(4096);
	struct network_ctl_want w;
	struct create said = {0};
	const char *id = NULL;
	int r = apicall_body(c, &body, e);

	if (r == 0)
		r = apiread_body(&apinetwork_table, body.p, body.len, &said, c->a, e);
	if (r == 0)
		r = wanted(c, &said, &w, e);
	if (r == 0)
		r = network_ctl_create(c->s, &w, c->a, &id, e);
	/* Clients that race for a name look for these words. */
	if (r < 0 && e && e->kind == ERR_EXISTS)
		return err_set(e, ERR_EXISTS, "network with name %.64s already exists", said.name);
	if (r < 0)
		return r;
	buf_printf(&b, "{\"Id\":\"%s\",\"Warning\":\"\"}\n", id);
	return apicall_json(c, 201, &b, e);
}

/* ---- the others ---- */

int apinetwork_list(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct strs filters;
	struct networks all = {0};
	int r = apicall_filters(c, &filters, e);

	if (r == 0)
		r = network_ctl_list(c->s, &filters, c->a, &all, e);
	buf_puts(&b, "[");
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		buf_puts(&b, i ? "," : "");
		r = network_ctl_inspect(c->s, &all.v[i], &b, e);
	}
	buf_puts(&b, "]\n");
	return r < 0 ? r : apicall_json(c, 200, &b, e);
}

static int find(struct apicall *c, struct network *out, struct err *e)
{
	int r = network_ctl_find(c->s, c->id, c->a, out, e);

	if (r < 0 && e && e->kind == ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "network %.64s not found", c->id);
	return r;
}

int apinetwork_inspect(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	const char *scope = apicall_query(c, "scope");
	struct network n;
	int r = find(c, &n, e);

	if (r == 0 && scope && !streq(scope, "local"))
		return err_set(e, ERR_NOT_FOUND, "network %.64s not found in scope %.20s", c->id,
			       scope);
	if (r == 0)
		r = network_ctl_inspect(c->s, &n, &b, e);
	return r < 0 ? r : apicall_json(c, 200, &b, e);
}

int apinetwork_remove(struct apicall *c, struct err *e)
{
	struct network n;
	int r = find(c, &n, e);

	/* As docker words it, and with its status. */
	if (r == 0 && network_ctl_builtin(&n))
		return err_set(e, ERR_DENIED, "%s is a pre-defined network and cannot be removed",
			       n.name);
	if (r == 0)
		r = network_ctl_remove(c->s, &n, e);
	return r < 0 ? r : apicall_nothing(c, e);
}

int apinetwork_prune(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct prune_result done = {0};
	struct prune_opts o = {0};
	int r = apicall_filters(c, &o.filters, e);

	if (r == 0)
		r = prune_networks(c->s, &o, c->a, &done, e);
	if (r < 0)
		return r;
	buf_puts(&b, "{");
	members_list(&w, "NetworksDeleted", &done.networks, "[]");
	buf_puts(&b, "}\n");
	return apicall_json(c, 200, &b, e);
}

/* ---- who is on it ---- */

struct plug {
	const char *container;
	struct apiendpoint endpoint;
	bool force;
};
#define P(member, key, type, ...) JB(struct plug, member, key, JBIND_##type, ##__VA_ARGS__)
static const struct jbind_field connect_fields[] = {
    P(container, "Container", STR), P(endpoint, "EndpointConfig", OBJ, .sub = &apiendpoint_table),
    JB_END};
const struct jbind apinetwork_connect_table = {sizeof(struct plug), connect_fields, false};

/* A network that is gone, or an instance that does not answer, does not keep it back here. */
static const struct jbind_field disconnect_fields[] = {P(container, "Container", STR),
						       P(force, "Force", BOOL), JB_END};
const struct jbind apinetwork_disconnect_table = {sizeof(struct plug), disconnect_fields, false};
#undef P

struct meeting {
	struct plug said;
	struct network n;
	struct lookup l;
};

static int meet(struct apicall *c, const struct jbind *t, struct meeting *m, struct err *e)
{
	auto_buf struct buf body = BUF_INIT(APICALL_BODY_MAX);
	int r = apicall_body(c, &body, e);

	*m = (struct meeting){0};
	if (r == 0)
		r = apiread_body(t, body.p, body.len, &m->said, c->a, e);
	if (r == 0 && (!m->said.container || !*m->said.container))
		return err_set(e, ERR_USAGE, "the body names no instance (Container)");
	if (r == 0)
		r = find(c, &m->n, e);
	return r < 0 ? r : lookup_find(c->s, m->said.container, c->a, &m->l, e);
}

int apinetwork_connect(struct apicall *c, struct err *e)
{
	struct plug_want want;
	struct meeting m;
	int r = meet(c, &apinetwork_connect_table, &m, e);

	apiendpoint_want(&m.said.endpoint, &want);
	if (r == 0)
		r = plug_connect(c->s, &m.n, &m.l, &want, e);
	return r < 0 ? r : exchange_send(c->x, 200, NULL, "", 0, e);
}

int apinetwork_disconnect(struct apicall *c, struct err *e)
{
	struct meeting m;
	int r = meet(c, &apinetwork_disconnect_table, &m, e);

	if (r == 0)
		r = plug_disconnect(c->s, &m.n, &m.l, e);
	return r < 0 ? r : exchange_send(c->x, 200, NULL, "", 0, e);
}
