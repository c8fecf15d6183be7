/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_ctl.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/eventlog.h"
#include "engine/join.h"
#include "engine/lookup.h"
#include "engine/members.h"
#include "engine/netspec.h"
#include "engine/remove.h"
#include "engine/request.h"
#include "engine/session.h"
#include "net/attach.h"
#include "net/attachment.h"
#include "net/cninet.h"
#include "net/direct.h"
#include "net/manage.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#define SHORT_ID 12

/* What is there before any record: ids that no random one has (they begin with eleven zeros). */
static const struct network builtins[] = {
    {.name = NETWORK_DEFAULT, .id = "000000000000", .driver = "bridge"},
    {.name = "host", .id = "000000000001", .driver = "host"},
    {.name = "none", .id = "000000000002", .driver = "null"},
};

bool network_ctl_builtin(const struct network *n)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++)
		if (streq(builtins[i].name, n->name))
			return true;
	return false;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(((const struct network *)x)->name, ((const struct network *)y)->name);
}

static int every(struct session *s, struct arena *a, struct networks *out, struct err *e)
{
	size_t extra = sizeof(builtins) / sizeof(*builtins);
	struct networks l;
	struct store *store;
	struct network *v;
	int r = session_store(s, &store, e);

	if (r == 0)
		r = network_list(store_root_fd(store), a, &l, e);
	if (r < 0)
		return r;
	v = arena_array(a, l.n + extra, sizeof(*v));
	if (l.n)
		memcpy(v, l.v, l.n * sizeof(*v));
	for (size_t i = 0, n = l.n; i < extra; i++) {
		bool known = false;

		for (size_t k = 0; k < n; k++)
			known |= streq(v[k].name, builtins[i].name);
		if (!known)
			v[l.n++] = builtins[i];
	}
	qsort(v, l.n, sizeof(*v), by_name);
	*out = (struct networks){v, l.n};
	return 0;
}

int network_ctl_find(struct session *s, const char *what, struct arena *a, struct network *out,
		     struct err *e)
{
	struct networks all;
	const struct network *found = NULL;
	int r = every(s, a, &all, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++)
		if (streq(all.v[i].name, what)) {
			*out = all.v[i];
			return 0;
		}
	for (size_t i = 0; *what && i < all.n; i++) {
		if (strncmp(all.v[i].id, what, strlen(what)) != 0)
			continue;
		if (found)
			return err_set(e, ERR_CONFLICT, "network '%.64s': several ids begin so",
				       what);
		found = &all.v[i];
	}
	if (!found)
		return err_set(e, ERR_NOT_FOUND, "no network '%.64s'", what);
	*out = *found;
	return 0;
}

/* ---- filters ---- */

static bool has_label(const struct network *n, const char *want)
{
	size_t len = strlen(want);

	for (size_t i = 0; i < n->labels.n; i++) {
		const char *have = n->labels.v[i];

		if (streq(have, want) ||
		    (!strchr(want, '=') && strncmp(have, want, len) == 0 && have[len] == '='))
			return true;
	}
	return false;
}

static bool by_name_part(const struct network *n, const char *want)
{
	return strstr(n->name, want) != NULL;
}

static bool by_id(const struct network *n, const char *want)
{
	return strncmp(n->id, want, strlen(want)) == 0;
}

static bool by_driver(const struct network *n, const char *want)
{
	return streq(n->driver, want);
}

static bool by_type(const struct network *n, const char *want)
{
	return streq(want, network_ctl_builtin(n) ? "builtin" : "custom");
}

static bool by_scope(const struct network *n, const char *want)
{
	return streq(want, "local");
}

/* Those that need nothing but the record; "dangling=" is apart. */
static const struct {
	const char *key;
	bool (*fits)(const struct network *n, const char *want);
	bool all; /* every value must hold, not one */
} keys[] = {
    {"name=", by_name_part, false}, {"id=", by_id, false},	 {"driver=", by_driver, false},
    {"type=", by_type, false},	    {"scope=", by_scope, false}, {"label=", has_label, true},
};

static int check_filters(const struct strs *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *value = NULL;

		for (size_t k = 0; !value && k < sizeof(keys) / sizeof(*keys); k++)
			value = str_after(l->v[i], keys[k].key);
		if (!value && (value = str_after(l->v[i], "dangling=")) && !streq(value, "true") &&
		    !streq(value, "false") && !streq(value, "1") && !streq(value, "0"))
			return err_set(e, ERR_USAGE, "--filter dangling wants true or false");
		if (!value)
			return err_set(e, ERR_USAGE,
				       "--filter does not know '%.60s' (name=, id=, driver=, "
				       "label=, type=, scope=, dangling=)",
				       l->v[i]);
		if (str_after(l->v[i], "type=") && !streq(value, "custom") &&
		    !streq(value, "builtin"))
			return err_set(e, ERR_USAGE, "--filter type wants custom or builtin");
	}
	return 0;
}

static bool attached(const struct attachment_list *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].network, name))
			return true;
	return false;
}

static bool fits(const struct network *n, const struct strs *l, const struct attachment_list *at)
{
	for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
		size_t asked = 0, held = 0;

		for (size_t i = 0; i < l->n; i++) {
			const char *value = str_after(l->v[i], keys[k].key);

			asked += value != NULL;
			held += value && keys[k].fits(n, value);
		}
		if (asked && (keys[k].all ? held < asked : !held))
			return false;
	}
	for (size_t i = 0; i < l->n; i++) {
		const char *value = str_after(l->v[i], "dangling=");
		bool yes = value && (*value == 't' || *value == '1');

		if (value && yes != (!network_ctl_builtin(n) && !attached(at, n->name)))
			return false;
	}
	return true;
}

static int attachments(struct session *s, struct arena *a, struct attachment_list *out,
		       struct err *e)
{
	auto_fd int net = attachment_dir(store_run_fd(s->store), e);

	return net < 0 ? net : attachment_list(net, a, out, e);
}

int network_ctl_list(struct session *s, const struct strs *filters, struct arena *a,
		     struct networks *out, struct err *e)
{
	struct attachment_list at;
	struct networks all;
	size_t n = 0;
	int r = check_filters(filters, e);

	if (r == 0)
		r = every(s, a, &all, e);
	if (r == 0)
		r = attachments(s, a, &at, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++)
		if (fits(&all.v[i], filters, &at))
			all.v[n++] = all.v[i];
	*out = (struct networks){all.v, n};
	return 0;
}

/* ---- documents ---- */

void network_ctl_row(const struct network *n, bool full, struct buf *out)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf labels = BUF_INIT(1 << 20);
	struct members w = {.b = out};

	for (size_t i = 0; i < n->labels.n; i++)
		buf_printf(&labels, "%s%s", i ? "," : "", n->labels.v[i]);
	buf_puts(out, "{");
	members_str(&w, "ID", full ? n->id : arena_dupn(&a, n->id, SHORT_ID));
	members_str(&w, "Name", n->name);
	members_str(&w, "Driver", n->driver);
	members_str(&w, "Scope", "local");
	members_str(&w, "IPv4", n->subnet ? "true" : "false");
	members_str(&w, "IPv6", n->subnet6 ? "true" : "false");
	members_str(&w, "Internal", n->internal ? "true" : "false");
	members_str(&w, "Labels", labels.p);
	members_stamp(&w, "CreatedAt", n->created_ns);
	buf_puts(out, "}");
}

static void ipam(struct members *w, const struct network *n, struct arena *a)
{
	members_open(w, "IPAM");
	members_str(w, "Driver", "default");
	members_raw(w, "Options", "{}");
	members_array(w, "Config");
	if (n->subnet) {
		members_item(w);
		members_str(w, "Subnet", n->subnet);
		members_str(w, "IPRange", n->range);
		members_str(w, "Gateway", n->gateway);
		members_map(w, "AuxiliaryAddresses", &n->aux, a);
		members_close(w);
	}
	if (n->subnet6) {
		members_item(w);
		members_str(w, "Subnet", n->subnet6);
		members_str(w, "Gateway", n->gateway6);
		members_close(w);
	}
	members_end(w);
	members_close(w);
}

static int containers(struct session *s, struct members *w, const struct network *n,
		      struct arena *a, struct err *e)
{
	struct attachment_list at;
	struct lookups all;
	int r = attachments(s, a, &at, e);

	if (r == 0)
		r = lookup_all(s, a, &all, e);
	if (r < 0)
		return r;
	members_open(w, "Containers");
	for (size_t i = 0; i < at.n; i++) {
		const char *name = "";

		if (!streq(at.v[i].network, n->name))
			continue;
		for (size_t k = 0; k < all.n; k++)
			if (streq(all.v[k].i.id, at.v[i].id))
				name = all.v[k].i.name;
		members_open(w, at.v[i].id);
		members_str(w, "Name", name);
		members_str(w, "EndpointID", at.v[i].device);
		members_str(w, "MacAddress", at.v[i].mac);
		members_str(w, "IPv4Address",
			    arena_printf(a, "%s%s", at.v[i].address, strchr(n->subnet, '/')));
		members_str(w, "IPv6Address",
			    at.v[i].address6 && n->subnet6
				? arena_printf(a, "%s%s", at.v[i].address6, strchr(n->subnet6, '/'))
				: "");
		members_close(w);
	}
	members_close(w);
	return 0;
}

int network_ctl_inspect(struct session *s, const struct network *n, struct buf *out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct members w = {.b = out};
	int r;

	buf_puts(out, "{");
	members_str(&w, "Name", n->name);
	members_str(&w, "Id", n->id);
	members_stamp(&w, "Created", n->created_ns);
	members_str(&w, "Scope", "local");
	members_str(&w, "Driver", n->driver);
	members_yes(&w, "EnableIPv4", n->subnet != NULL);
	members_yes(&w, "EnableIPv6", n->subnet6 != NULL);
	ipam(&w, n, &a);
	members_yes(&w, "Internal", n->internal);
	members_yes(&w, "Attachable", true);
	members_yes(&w, "Ingress", false);
	r = containers(s, &w, n, &a, e);
	if (r < 0)
		return r;
	members_map(&w, "Options", &n->options, &a);
	members_map(&w, "Labels", &n->labels, &a);
	members_str(&w, direct_is(n) ? "Parent" : "Bridge", n->bridge);
	buf_puts(out, "}");
	return buf_fail(out, "description of the network", e);
}

/* ---- making and removing ---- */

/* One of each family. */
static int sort_out(const char *option, const struct strs *l, const char **four, const char **six,
		    struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const char **to = strchr(l->v[i], ':') ? six : four;

		if (*to)
			return err_set(e, ERR_UNSUPPORTED,
				       "--%s more than once: a network has one subnet of a family",
				       option);
		*to = l->v[i];
	}
	return 0;
}

static int truth(const char *key, const char *value, bool *out, struct err *e)
{
	if (!streq(value, "true") && !streq(value, "false"))
		return err_set(e, ERR_USAGE, "--opt %s wants true or false, not '%.60s'", key,
			       value);
	*out = streq(value, "true");
	return 0;
}

static int option(const char *text, struct network *n, struct arena *a, struct err *e)
{
	const char *eq = strchr(text, '='), *key, *value = eq ? eq + 1 : "";
	bool yes = true;
	char *end;
	int r = 0;

	if (!eq)
		return err_set(e, ERR_USAGE, "--opt wants KEY=VALUE, not '%.60s'", text);
	key = arena_dupn(a, text, (size_t)(eq - text));
	if (streq(key, "mtu") || streq(key, "com.docker.network.driver.mtu")) {
		unsigned long mtu = strtoul(value, &end, 10);

		if (*value < '0' || *value > '9' || *end || !mtu || mtu > UINT32_MAX)
			return err_set(e, ERR_USAGE, "--opt %s wants bytes, not '%.60s'", key,
				       value);
		n->mtu = (uint32_t)mtu;
	} else if (streq(key, "icc") || streq(key, "com.docker.network.bridge.enable_icc")) {
		r = truth(key, value, &yes, e);
		n->no_icc = !yes;
	} else if (streq(key, "com.docker.network.bridge.name") && streq(n->driver, "bridge")) {
		n->bridge = value;
	} else if (streq(key, "parent") && direct_is(n)) {
		n->parent = value;
	} else if ((streq(key, "macvlan_mode") && streq(n->driver, "macvlan")) ||
		   (streq(key, "ipvlan_mode") && streq(n->driver, "ipvlan"))) {
		n->mode = value;
	} else if (streq(key, "ipvlan_flag") && streq(n->driver, "ipvlan")) {
		n->flag = value;
	} else {
		return err_set(e, ERR_UNSUPPORTED,
			       "--opt %.80s is not one that a %s network here has (%s)", key,
			       n->driver,
			       direct_is(n) ? streq(n->driver, "macvlan")
						  ? "parent, macvlan_mode, mtu"
						  : "parent, ipvlan_mode, ipvlan_flag, mtu"
					    : "mtu, icc, com.docker.network.bridge.name");
	}
	return r;
}

static int check_labels(const struct strs *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (!*l->v[i] || *l->v[i] == '=')
			return err_set(e, ERR_USAGE, "--label wants KEY[=VALUE], not '%.60s'",
				       l->v[i]);
	return 0;
}

int network_ctl_create(struct session *s, const struct network_ctl_want *w, struct arena *a,
		       const char **id, struct err *e)
{
	struct network n = {.name = w->name,
			    .driver = w->driver ? w->driver : "bridge",
			    .aux = w->aux,
			    .labels = w->labels,
			    .options = w->options,
			    .internal = w->internal,
			    .ipv6 = w->ipv6};
	const char *range6 = NULL;
	struct network made;
	struct store *store;
	int r = 0;

	if (!streq(n.driver, "bridge") && !direct_is(&n))
		return err_set(e, ERR_UNSUPPORTED,
			       "--driver %.60s: there are bridge, macvlan and ipvlan", n.driver);
	if ((r = sort_out("subnet", &w->subnets, &n.subnet, &n.subnet6, e)) < 0 ||
	    (r = sort_out("gateway", &w->gateways, &n.gateway, &n.gateway6, e)) < 0 ||
	    (r = sort_out("ip-range", &w->ranges, &n.range, &range6, e)) < 0 ||
	    (r = check_labels(&w->labels, e)) < 0)
		return r;
	if (range6)
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "--ip-range %.60s: the IPv6 address of an instance has the host number "
		    "of its IPv4 address",
		    range6);
	for (size_t i = 0; r == 0 && i < w->options.n; i++)
		r = option(w->options.v[i], &n, a, e);
	/* As docker: what has no way out is internal. */
	if (r == 0 && direct_is(&n) && !n.parent)
		n.internal = true;
	if (r == 0)
		r = session_store(s, &store, e);
	if (r == 0)
		r = manage_create(store_root_fd(store), store_run_fd(store), &n, a, &made, e);
	if (r < 0)
		return r;
	*id = made.id;
	eventlog_thing(store, "network", "create", made.id, made.name);
	return 0;
}

int network_ctl_remove(struct session *s, const struct network *n, struct err *e)
{
	struct store *store;
	int r = session_store(s, &store, e);

	if (r < 0)
		return r;
	/* What a killed monitor left is no use. */
	remove_leftovers(s, NULL);
	r = manage_remove(store_root_fd(store), store_run_fd(store), n->name, e);
	if (r == 0)
		eventlog_thing(store, "network", "destroy", n->id, n->name);
	return r;
}

/* ---- of a request ---- */

int network_ctl_fix(struct session *s, struct request *q, struct arena *a, struct err *e)
{
	struct attach_endpoint *v;
	size_t n;
	int r = netspec_all(q, a, &v, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct network net;

		if (streq(v[i].network, NETWORK_DEFAULT) || streq(v[i].network, "host") ||
		    streq(v[i].network, "none") || join_other(v[i].network))
			continue;
		if (cninet_name(v[i].network)) {
			struct cni_list l;

			r = cninet_find(cninet_name(v[i].network), a, &l, e);
			continue;
		}
		r = network_ctl_find(s, v[i].network, a, &net, e);
		if (r < 0)
			return r;
		v[i].network = net.name;
		for (size_t k = 0; k < i; k++)
			if (streq(v[i].network, v[k].network))
				return err_set(e, ERR_USAGE, "--network '%s' is said twice",
					       v[i].network);
	}
	if (r < 0)
		return r;
	if (!q->unplugged && (q->network || q->networks.n))
		netspec_set(q, v, n, a);
	return 0;
}
