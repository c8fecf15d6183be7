/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_tool - src/net for tests and measurements, without an engine.
 *
 *   net_tool hold ROOT RUN ID container|vm NETWORK [PUBLISH...]
 *       attach, print one line of JSON, hold the descriptors until standard input ends, detach;
 *       NETWORK may be several with commas between; while held, a line "connect NETWORK" or
 *       "disconnect NETWORK" does that and is answered by "ok" or the error
 *   net_tool attach ... (the same)    attach and end without detaching, as a killed monitor would
 *   net_tool remove RUN ID
 *   net_tool network ROOT RUN NAME SUBNET|- [internal] [isolated] [v6]     make one; prints its
 * bridge net_tool forget ROOT RUN NAME                                   remove it net_tool sweep
 * RUN [ID...]        those named are alive; prints how many were removed net_tool bench ROOT RUN
 * COUNT ISOLATION [PUBLISH...] attach COUNT instances, then detach them; prints nanoseconds, one
 * line "attach detach cpu-time-of-attach" each
 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/publish.h"
#include "net/attach.h"
#include "net/hotplug.h"
#include "net/manage.h"
#include "net/network.h"
#include "spec/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define PUBLISH_MAX 64

static int complain(const struct err *e)
{
	fprintf(stderr, "net_tool: %s: %s\n", err_kind_name(e->kind), e->msg);
	return 1;
}

static int dir_open(const char *path)
{
	(void)mkdir(path, 0755);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int parse_all(char **v, struct publish *out, size_t *n, struct err *e)
{
	for (*n = 0; *v && *n < PUBLISH_MAX; v++, (*n)++) {
		int r = publish_parse(*v, &out[*n], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static void print(const struct attach_result *r)
{
	const struct plan_nic *nic = r->nics.n ? &r->nics.v[0] : NULL;

	printf("{\"pid\": %d, \"netns\": %d, \"tap\": %d, \"held\": %zu, \"ports\": [", getpid(),
	       r->netns_fd, r->n_taps ? r->tap_fds[0] : -1, r->n_port_fds);
	for (size_t i = 0; i < r->n_published; i++)
		printf("%s%u", i ? ", " : "", r->published[i].host_first);
	printf("]");
	if (nic)
		printf(", \"address\": \"%s\", \"mac\": \"%s\", \"gateway\": \"%s\"", nic->address,
		       nic->mac, nic->gateway ? nic->gateway : "");
	if (nic && nic->address6)
		printf(", \"address6\": \"%s\", \"gateway6\": \"%s\"", nic->address6,
		       nic->gateway6);
	printf("}\n");
	fflush(stdout);
}

static void replug(const struct attach_request *held, int ns, char *line)
{
	struct attach_endpoint on = {.network = strchr(line, ' ') + 1};
	struct attach_request q = *held;
	struct err e = ERR_INIT;
	int r;

	line[strcspn(line, "\n")] = '\0';
	q.endpoints = &on;
	q.n_endpoints = 1;
	q.n_publish = 0;
	r = line[0] == 'c' ? hotplug_connect(&(struct hotplug){&q, ns}, &e)
			   : hotplug_disconnect(&(struct hotplug){&q, ns}, &e);
	printf("%s\n", r < 0 ? e.msg : "ok");
	fflush(stdout);
}

static int attach(char **v, bool hold)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int root = dir_open(v[0]), run = dir_open(v[1]);
	struct publish ports[PUBLISH_MAX];
	struct attach_endpoint on[ATTACH_NICS_MAX] = {
	    {.network = v[4], .ip = getenv("NET_TOOL_IP"), .mac = getenv("NET_TOOL_MAC")}};
	struct attach_request q = {.root_fd = root,
				   .run_fd = run,
				   .id = v[2],
				   .name = "test",
				   .hostname = "test",
				   .isolation = streq(v[3], "vm") ? PLAN_VM : PLAN_CONTAINER,
				   .endpoints = on,
				   .n_endpoints = 1,
				   .publish = ports};
	struct attach_result r;
	struct err e = ERR_INIT;
	char line[128], *next;

	/* NETWORK may be several, with commas between. */
	while ((next = strchr(on[q.n_endpoints - 1].network, ',')) &&
	       q.n_endpoints < ATTACH_NICS_MAX) {
		*next = '\0';
		on[q.n_endpoints++].network = next + 1;
	}
	if (parse_all(v + 5, ports, &q.n_publish, &e) < 0 || attach_instance(&q, &a, &r, &e) < 0)
		return complain(&e);
	print(&r);
	if (!hold)
		return 0;
	while (fgets(line, sizeof(line), stdin))
		replug(&q, r.netns_fd, line);
	attach_done(&r);
	return attach_remove(run, q.id, &e) < 0 ? complain(&e) : 0;
}

static bool named(const char *id, void *arg)
{
	for (char **v = arg; *v; v++)
		if (streq(*v, id))
			return true;
	return false;
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int bench(char **v)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int root = dir_open(v[0]), run = dir_open(v[1]);
	long count = strtol(v[2], NULL, 10);
	struct attach_result *r = arena_array(&a, (size_t)count, sizeof(*r));
	int64_t *took = arena_array(&a, (size_t)count, sizeof(*took));
	int64_t *cpu = arena_array(&a, (size_t)count, sizeof(*cpu));
	struct publish ports[PUBLISH_MAX];
	struct err e = ERR_INIT;
	size_t n;

	if (parse_all(v + 4, ports, &n, &e) < 0)
		return complain(&e);
	for (long i = 0; i < count; i++) {
		struct attach_request q = {
		    .root_fd = root,
		    .run_fd = run,
		    .id = arena_printf(&a, "%010lx%054lx", i, i),
		    .endpoints = &(struct attach_endpoint){.network = "bridge"},
		    .n_endpoints = 1,
		    .isolation = streq(v[3], "vm") ? PLAN_VM : PLAN_CONTAINER,
		    .publish = ports,
		    .n_publish = n};
		int64_t t = trace_now_ns(), c = cpu_ns();

		if (attach_instance(&q, &a, &r[i], &e) < 0)
			return complain(&e);
		took[i] = trace_now_ns() - t;
		cpu[i] = cpu_ns() - c;
	}
	for (long i = 0; i < count; i++) {
		int64_t t;

		attach_done(&r[i]);
		t = trace_now_ns();
		if (attach_remove(run, arena_printf(&a, "%010lx%054lx", i, i), &e) < 0)
			return complain(&e);
		printf("%lld %lld %lld\n", (long long)took[i], (long long)(trace_now_ns() - t),
		       (long long)cpu[i]);
	}
	return 0;
}

static bool has(char **v, const char *word)
{
	for (; *v; v++)
		if (streq(*v, word))
			return true;
	return false;
}

static int network(char **v)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int root = dir_open(v[0]), run = dir_open(v[1]);
	struct network made, want = {.name = v[2],
				     .driver = "bridge",
				     .subnet = streq(v[3], "-") ? NULL : v[3],
				     .ipv6 = has(v + 4, "v6"),
				     .internal = has(v + 4, "internal"),
				     .no_icc = has(v + 4, "isolated")};
	struct err e = ERR_INIT;

	if (manage_create(root, run, &want, &a, &made, &e) < 0)
		return complain(&e);
	printf("%s\n", made.bridge);
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int r;

	if (argc >= 7 && (streq(argv[1], "hold") || streq(argv[1], "attach")))
		return attach(argv + 2, streq(argv[1], "hold"));
	if (argc >= 6 && streq(argv[1], "bench"))
		return bench(argv + 2);
	if (argc >= 6 && streq(argv[1], "network"))
		return network(argv + 2);
	if (argc == 5 && streq(argv[1], "forget"))
		return manage_remove(dir_open(argv[2]), dir_open(argv[3]), argv[4], &e) < 0
			   ? complain(&e)
			   : 0;
	if (argc == 4 && streq(argv[1], "remove"))
		return attach_remove(dir_open(argv[2]), argv[3], &e) < 0 ? complain(&e) : 0;
	if (argc >= 3 && streq(argv[1], "sweep")) {
		r = attach_sweep(dir_open(argv[2]), named, argv + 3, &e);
		if (r < 0)
			return complain(&e);
		printf("%d\n", r);
		return 0;
	}
	fprintf(stderr, "net_tool: see the comment in its source\n");
	return 2;
}
