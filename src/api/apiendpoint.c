/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apiendpoint.h"
#include "api/apiread.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/plug.h"
#include "engine/request.h"

#include <string.h>

static const struct jbind_field ipam_fields[] = {
    {.key = "IPv4Address", .type = JBIND_STR, .off = 0}, JB_END};
static const struct jbind ipam_table = {sizeof(const char *), ipam_fields, false};

#define E(member, key, type, ...) JB(struct apiendpoint, member, key, JBIND_##type, ##__VA_ARGS__)
static const struct jbind_field endpoint_fields[] = {
    E(ipam, "IPAMConfig", OBJ, .sub = &ipam_table), E(mac, "MacAddress", STR),
    E(aliases, "Aliases", STRS),
    /* Clients send back what inspect told them of another instance, or of this one before. */
    E(told[0], "NetworkID", RAW), E(told[1], "EndpointID", RAW), E(told[2], "Gateway", RAW),
    E(told[3], "IPAddress", RAW), E(told[4], "IPPrefixLen", RAW), E(told[5], "IPv6Gateway", RAW),
    E(told[6], "GlobalIPv6Address", RAW), E(told[7], "GlobalIPv6PrefixLen", RAW),
    E(told[8], "DNSNames", RAW), JB_END};
#undef E
const struct jbind apiendpoint_table = {sizeof(struct apiendpoint), endpoint_fields, false};

static const char *text_of(const char *s)
{
	return s && *s ? s : NULL;
}

void apiendpoint_want(const struct apiendpoint *p, struct plug_want *out)
{
	*out = (struct plug_want){
	    .ip = text_of(p->ipam.ip), .mac = text_of(p->mac), .aliases = p->aliases};
}

struct walk {
	struct arena *a;
	struct request *q;
	struct err *e;
};

/* The long form of engine/netspec.h, in which a comma would begin another member. */
static int further(struct walk *w, const char *name, const struct plug_want *p)
{
	char *text = arena_printf(w->a, "name=%s", name);
	bool comma =
	    strchr(name, ',') || (p->ip && strchr(p->ip, ',')) || (p->mac && strchr(p->mac, ','));

	if (p->ip)
		text = arena_printf(w->a, "%s,ip=%s", text, p->ip);
	if (p->mac)
		text = arena_printf(w->a, "%s,mac-address=%s", text, p->mac);
	for (size_t i = 0; i < p->aliases.n; i++) {
		comma |= strchr(p->aliases.v[i], ',') != NULL;
		text = arena_printf(w->a, "%s,alias=%s", text, p->aliases.v[i]);
	}
	if (comma)
		return err_set(w->e, ERR_USAGE,
			       "NetworkingConfig.EndpointsConfig.%.60s: a comma is in no name or "
			       "address",
			       name);
	arena_strs_add(w->a, &w->q->networks, text);
	return 0;
}

static int endpoint(const char *name, struct json *v, void *arg)
{
	struct walk *w = arg;
	const char *where = arena_printf(w->a, "NetworkingConfig.EndpointsConfig.%.60s.", name);
	struct apiendpoint p = {0};
	struct plug_want want;
	int r = apiread_table(&apiendpoint_table, v, &p, w->a, where, w->e);

	if (r < 0)
		return r;
	apiendpoint_want(&p, &want);
	if (!streq(name, w->q->network) &&
	    !(streq(name, "default") && streq(w->q->network, "bridge")))
		return further(w, arena_dup(w->a, name), &want);
	w->q->ip = want.ip;
	w->q->mac = want.mac ? want.mac : w->q->mac;
	w->q->aliases = want.aliases;
	return 0;
}

static int networking(const char *key, struct json *v, void *arg)
{
	struct walk *w = arg;

	if (!streq(key, "EndpointsConfig"))
		return apiread_nothing(v) ? 0
					  : err_set(w->e, ERR_UNSUPPORTED,
						    "NetworkingConfig.%.60s is not known", key);
	if (v && !json_is_object(v))
		return err_set(w->e, ERR_USAGE, "NetworkingConfig.EndpointsConfig is no object");
	return v ? json_each(v, endpoint, arg) : 0;
}

int apiendpoint_networking(const char *json, struct arena *a, struct request *q, struct err *e)
{
	struct walk w = {a, q, e};

	return apiread_each(json, "NetworkingConfig", networking, &w, e);
}
