/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/psfilter.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/lookup.h"
#include "engine/netspec.h"
#include "engine/pod.h"
#include "engine/request.h"
#include "net/attach.h"
#include "spec/health.h"
#include "spec/plan.h"

#include <stdio.h>
#include <stdlib.h>

struct key {
	const char *name;
	bool (*fits)(const struct lookup *l, const char *want);
	bool states, all; /* all: every value must hold, not one */
};

static bool id(const struct lookup *l, const char *want)
{
	return strncmp(l->i.id, want, strlen(want)) == 0;
}

static bool name(const struct lookup *l, const char *want)
{
	return strstr(l->i.name, *want == '/' ? want + 1 : want) != NULL;
}

static bool label(const struct lookup *l, const char *want)
{
	size_t n = strlen(want);

	for (size_t i = 0; i < l->i.labels.n; i++) {
		const char *have = l->i.labels.v[i];

		if (streq(have, want) ||
		    (!strchr(want, '=') && strncmp(have, want, n) == 0 && have[n] == '='))
			return true;
	}
	return false;
}

static bool status(const struct lookup *l, const char *want)
{
	return streq(lookup_status(l), want);
}

static bool ancestor(const struct lookup *l, const char *want)
{
	return streq(l->i.image, want) || streq(l->i.image_id, want) ||
	       (strlen(want) >= 12 && strncmp(l->i.image_id + 7, want, strlen(want)) == 0);
}

static bool exited(const struct lookup *l, const char *want)
{
	return l->state.status == INSTANCE_EXITED && l->state.exit_code == strtol(want, NULL, 10);
}

static bool health(const struct lookup *l, const char *want)
{
	return streq(want, l->state.health < 0 ? "none" : health_status_names[l->state.health]);
}

static bool isolation(const struct lookup *l, const char *want)
{
	return streq(want, plan_isolation_names[l->i.isolation]);
}

static bool volume(const struct lookup *l, const char *want)
{
	for (size_t i = 0; i < l->i.mounts.n; i++) {
		const struct instance_mount *m = &l->i.mounts.v[i];

		if ((m->name && streq(m->name, want)) || streq(m->destination, want) ||
		    (m->source && streq(m->source, want)))
			return true;
	}
	return false;
}

static bool network(const struct lookup *l, const char *want)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};
	struct attach_endpoint *v;
	size_t n;

	if (jbind_parse(&request_table, l->i.request, strlen(l->i.request), &q, &a, "request",
			NULL) < 0 ||
	    netspec_all(&q, &a, &v, &n, NULL) < 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (streq(v[i].network, want))
			return true;
	return false;
}

/* "80", "80/udp", "8000-8010/tcp". */
static bool parse_ports(const char *s, long *first, long *last, const char **proto)
{
	char *end;

	*first = *last = strtol(s, &end, 10);
	if (end == s)
		return false;
	if (*end == '-') {
		s = end + 1;
		*last = strtol(s, &end, 10);
		if (end == s)
			return false;
	}
	*proto = *end == '/' ? end + 1 : "tcp";
	return (!*end || *end == '/') && *first > 0 && *first <= *last && *last <= 65535;
}

/* Published ports are "0.0.0.0:8080:80/tcp". */
static bool ports(const struct lookup *l, const char *want, bool inner)
{
	const char *proto;
	long first, last;

	if (!parse_ports(want, &first, &last, &proto))
		return false;
	for (size_t i = 0; l->state.pid && i < l->i.ports.n; i++) {
		const char *in = strrchr(l->i.ports.v[i], ':'), *out = in, *slash;
		long port;

		if (!in || !(slash = strchr(in, '/')))
			continue;
		while (out > l->i.ports.v[i] && out[-1] != ':')
			out--;
		port = strtol(inner ? in + 1 : out, NULL, 10);
		if (port >= first && port <= last && streq(slash + 1, proto))
			return true;
	}
	return false;
}

static bool publish(const struct lookup *l, const char *want)
{
	return ports(l, want, false);
}

static bool expose(const struct lookup *l, const char *want)
{
	return ports(l, want, true);
}

static const struct key keys[] = {
    {"id", id},
    {"name", name},
    {"label", label, .all = true},
    {"status", status, .states = true},
    {"ancestor", ancestor},
    {"exited", exited, .states = true},
    {"health", health},
    {"isolation", isolation},
    {"volume", volume},
    {"network", network},
    {"publish", publish},
    {"expose", expose},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct key *find(const char *text, const char **value)
{
	for (size_t i = 0; i < KEYS; i++) {
		const char *v = str_after(text, keys[i].name);

		if (v && *v == '=') {
			*value = v + 1;
			return &keys[i];
		}
	}
	return NULL;
}

static int check_value(const struct key *k, const char *v, struct err *e)
{
	const char *proto;
	bool known = false;
	long first, last;
	char *end;

	if (streq(k->name, "status")) {
		for (int i = 0; lookup_status_names[i]; i++)
			known |= streq(v, lookup_status_names[i]);
		if (!known)
			return err_set(e, ERR_USAGE, "--filter status does not know '%.40s'", v);
	}
	if (streq(k->name, "health")) {
		known = streq(v, "none");
		for (int i = 0; health_status_names[i]; i++)
			known |= streq(v, health_status_names[i]);
		if (!known)
			return err_set(e, ERR_USAGE, "--filter health does not know '%.40s'", v);
	}
	if (streq(k->name, "exited")) {
		strtol(v, &end, 10);
		if (!*v || *end)
			return err_set(e, ERR_USAGE, "--filter exited wants a code, not '%.40s'",
				       v);
	}
	if ((streq(k->name, "publish") || streq(k->name, "expose")) &&
	    !parse_ports(v, &first, &last, &proto))
		return err_set(e, ERR_USAGE, "--filter %s wants PORT[-PORT][/PROTO], not '%.40s'",
			       k->name, v);
	return 0;
}

static int bound(struct session *s, const char *what, int64_t *ns, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup l;
	int r = lookup_find(s, what, &a, &l, e);

	if (r == 0)
		*ns = l.i.created_ns;
	return r;
}

static int pod(struct session *s, const char *what, char id[INSTANCE_ID + 1], struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup l;
	int r = pod_find(s, what, &a, &l, e);

	if (r == 0)
		snprintf(id, INSTANCE_ID + 1, "%s", l.i.id);
	return r;
}

int psfilter_init(struct session *s, const struct strs *list, struct psfilter *out, struct err *e)
{
	struct psfilter f = {.list = *list};
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		const char *text = list->v[i], *v, *before = str_after(text, "before="),
			   *since = str_after(text, "since="), *in = str_after(text, "pod=");
		const struct key *k = find(text, &v);

		if (before)
			r = bound(s, before, &f.before_ns, e);
		else if (since)
			r = bound(s, since, &f.since_ns, e);
		else if (in)
			r = pod(s, in, f.pod, e);
		else if (!k)
			r = err_set(e, ERR_USAGE, "--filter does not know '%.60s'", text);
		else
			r = check_value(k, v, e);
		f.states |= k && k->states;
	}
	if (r == 0)
		*out = f;
	return r;
}

bool psfilter_fits(const struct psfilter *f, const struct lookup *l)
{
	if ((f->before_ns && l->i.created_ns >= f->before_ns) ||
	    (f->since_ns && l->i.created_ns <= f->since_ns) ||
	    (*f->pod && !(l->i.pod && streq(l->i.pod, f->pod))))
		return false;
	for (size_t k = 0; k < KEYS; k++) {
		bool asked = false, any = false, all = true;

		for (size_t i = 0; i < f->list.n; i++) {
			const char *v;
			bool hit;

			if (find(f->list.v[i], &v) != &keys[k])
				continue;
			hit = keys[k].fits(l, v);
			asked = true;
			any |= hit;
			all &= hit;
		}
		if (asked && !(keys[k].all ? all : any))
			return false;
	}
	return true;
}
