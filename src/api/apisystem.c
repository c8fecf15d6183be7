/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apibuild.h"
#include "api/apicall.h"
#include "api/apiimage.h"
#include "api/apiroute.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/eventlog.h"
#include "engine/image_ctl.h"
#include "engine/info.h"
#include "engine/members.h"
#include "engine/session.h"
#include "engine/usage.h"
#include "engine/volume_ctl.h"

#include <string.h>
#include <sys/utsname.h>
#include <time.h>

int apisystem_ping(struct apicall *c, struct err *e)
{
	exchange_field(c->x, "Cache-Control", "no-cache, no-store, must-revalidate");
	exchange_field(c->x, "Pragma", "no-cache");
	exchange_field(c->x, "Builder-Version", "1");
	exchange_field(c->x, "Swarm", "inactive");
	return exchange_send(c->x, 200, "text/plain; charset=utf-8", "OK", 2, e);
}

/* As Go calls it. */
static const char *arch(const struct utsname *u)
{
	return streq(u->machine, "x86_64")    ? "amd64"
	       : streq(u->machine, "aarch64") ? "arm64"
					      : u->machine;
}

int apisystem_version(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct utsname u = {0};

	uname(&u);
	buf_puts(&b, "{");
	members_str(&w, "Version", CAISSON_VERSION);
	members_str(&w, "ApiVersion", APICALL_VERSION);
	members_str(&w, "MinAPIVersion", APICALL_VERSION_MIN);
	members_str(&w, "Os", "linux");
	members_str(&w, "Arch", arch(&u));
	members_str(&w, "KernelVersion", u.release);
	members_str(&w, "GitCommit", "");
	members_str(&w, "GoVersion", "");
	members_str(&w, "BuildTime", "");
	members_array(&w, "Components");
	members_item(&w);
	members_str(&w, "Name", "Engine");
	members_str(&w, "Version", CAISSON_VERSION);
	members_open(&w, "Details");
	members_str(&w, "ApiVersion", APICALL_VERSION);
	members_str(&w, "MinAPIVersion", APICALL_VERSION_MIN);
	members_str(&w, "Os", "linux");
	members_str(&w, "Arch", arch(&u));
	members_str(&w, "KernelVersion", u.release);
	members_close(&w);
	members_close(&w);
	members_end(&w);
	members_open(&w, "Platform");
	members_str(&w, "Name", "caisson");
	members_close(&w);
	buf_puts(&b, "}");
	return apicall_json(c, 200, &b, e);
}

static void walls(struct members *w, const struct info *i, struct arena *a)
{
	struct strs names = {0};

	if (i->container.usable)
		arena_strs_add(a, &names, "caisson");
	if (i->vm.usable)
		arena_strs_add(a, &names, "caisson-vm");
	members_open(w, "Runtimes");
	for (size_t k = 0; k < names.n; k++) {
		members_open(w, names.v[k]);
		members_str(w, "path", "caisson");
		members_close(w);
	}
	members_close(w);
	members_str(w, "DefaultRuntime", "caisson");
	/* Ours: what HostConfig.Isolation may be, and why not. */
	members_open(w, "Isolations");
	members_str(w, "container", i->container.usable ? "usable" : i->container.why);
	members_str(w, "vm", i->vm.usable ? i->vm.accel : i->vm.why);
	members_close(w);
}

/* Which limits can be set: what the clients warn about where it is false. */
static void limits(struct members *w, const struct info *i)
{
	static const struct {
		const char *name, *controller;
	} all[] = {{"MemoryLimit", "memory"}, {"SwapLimit", "memory"}, {"OomKillDisable", "memory"},
		   {"CpuCfsPeriod", "cpu"},   {"CpuCfsQuota", "cpu"},  {"CPUShares", "cpu"},
		   {"CPUSet", "cpuset"},      {"PidsLimit", "pids"}};

	for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)
		members_yes(w, all[k].name,
			    i->rootless ? strstr(i->rootless->limits, all[k].controller) != NULL
					: !streq(i->cgroup, "none"));
}

int apisystem_info(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct info i;
	int64_t n;
	int r = info_gather(c->s, c->a, &i, e);

	if (r < 0)
		return r;
	n = i.instances.running + i.instances.paused + i.instances.stopped;
	buf_puts(&b, "{");
	members_num(&w, "Containers", n);
	members_num(&w, "ContainersRunning", i.instances.running);
	members_num(&w, "ContainersPaused", i.instances.paused);
	members_num(&w, "ContainersStopped", i.instances.stopped);
	members_num(&w, "Images", i.images);
	members_str(&w, "Driver", "overlayfs");
	members_raw(&w, "DriverStatus", "[]");
	members_str(&w, "DockerRootDir", i.root);
	members_str(&w, "KernelVersion", i.kernel);
	members_str(&w, "OperatingSystem", i.os);
	members_str(&w, "OSType", "linux");
	members_str(&w, "Architecture", i.machine);
	members_num(&w, "NCPU", i.cpus);
	members_num(&w, "MemTotal", (int64_t)i.memory_bytes);
	members_str(&w, "CgroupDriver", "cgroupfs");
	members_str(&w, "CgroupVersion", streq(i.cgroup, "v2") ? "2" : "1");
	members_str(&w, "ServerVersion", i.version);
	members_str(&w, "LoggingDriver", "json-file");
	members_raw(&w, "Plugins",
		    "{\"Volume\":[\"local\"],\"Network\":[\"bridge\",\"host\",\"none\"],\"Log\":"
		    "[\"json-file\"]}");
	members_raw(&w, "Swarm", "{\"LocalNodeState\":\"inactive\"}");
	members_list(&w, "SecurityOptions", &i.security, "[]");
	members_list(&w, "Warnings", &i.warnings, "[]");
	limits(&w, &i);
	members_yes(&w, "IPv4Forwarding", i.nftables);
	walls(&w, &i, c->a);
	buf_puts(&b, "}");
	return apicall_json(c, 200, &b, e);
}

/* ---- disk usage ---- */

static int df_images(struct apicall *c, struct members *w, const struct usage *u, struct err *e)
{
	struct image_rows all;
	int r = image_ctl_list(c->s, NULL, c->a, &all, e);

	if (r < 0)
		return r;
	members_array(w, "Images");
	for (size_t k = 0; k < all.n; k++) {
		const struct usage_image *of = NULL;

		for (size_t i = 0; !of && i < u->image_list.n; i++)
			if (streq(u->image_list.v[i].id, all.v[k].id))
				of = &u->image_list.v[i];
		if (!of || apiimage_seen(&all, k))
			continue;
		members_item(w);
		apiimage_row(c, w, &all, k, of);
		members_close(w);
	}
	members_end(w);
	return 0;
}

static void df_instances(struct members *w, const struct usage *u, struct arena *a)
{
	members_array(w, "Containers");
	for (size_t i = 0; i < u->instance_list.n; i++) {
		const struct usage_instance *v = &u->instance_list.v[i];
		struct strs names = {0};

		arena_strs_add(a, &names, arena_printf(a, "/%s", v->name));
		members_item(w);
		members_str(w, "Id", v->id);
		members_list(w, "Names", &names, "[]");
		members_str(w, "Image", v->image);
		members_str(w, "State", v->status);
		members_num(w, "SizeRw", (int64_t)v->bytes);
		members_close(w);
	}
	members_end(w);
}

static int df_volumes(struct apicall *c, struct members *w, const struct usage *u, struct err *e)
{
	struct strs none = {0};
	struct volumes all;
	int r = volume_ctl_list(c->s, &none, c->a, &all, e);

	if (r < 0)
		return r;
	members_array(w, "Volumes");
	for (size_t i = 0; i < u->volume_list.n; i++) {
		const struct usage_volume *v = &u->volume_list.v[i];
		struct strs labels = {0}, options = {0};

		for (size_t k = 0; k < all.n; k++)
			if (streq(all.v[k].name, v->name)) {
				labels = volume_ctl_labels(&all.v[k], c->a);
				options = all.v[k].options;
			}
		members_item(w);
		members_str(w, "Name", v->name);
		members_str(w, "Driver", "local");
		members_str(w, "Scope", "local");
		members_str(w, "Mountpoint",
			    arena_printf(c->a, "%s/volumes/%s/_data", c->s->root, v->name));
		members_map(w, "Labels", &labels, c->a);
		members_map(w, "Options", &options, c->a);
		members_open(w, "UsageData");
		members_num(w, "Size", (int64_t)v->bytes);
		members_num(w, "RefCount", (int64_t)v->instances);
		members_close(w);
		members_close(w);
	}
	members_end(w);
	return 0;
}

int apisystem_df(struct apicall *c, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(APICALL_ANSWER_MAX);
	struct members w = {.b = &b};
	struct usage u = {0};
	int r = usage_gather(c->s, c->a, &u, e);

	if (r < 0)
		return r;
	buf_puts(&b, "{");
	members_num(&w, "LayersSize", (int64_t)u.images.bytes);
	r = df_images(c, &w, &u, e);
	if (r == 0)
		df_instances(&w, &u, c->a);
	if (r == 0)
		r = df_volumes(c, &w, &u, e);
	if (r == 0)
		r = apibuild_usage(c, &w, e);
	if (r < 0)
		return r;
	buf_puts(&b, "}");
	return apicall_json(c, 200, &b, e);
}

/* ---- events ---- */

static int show(const struct event *ev, const char *json, size_t len, void *arg)
{
	struct apicall *c = arg;
	int r = exchange_write(c->x, json, len, NULL);

	return r < 0 ? r : exchange_write(c->x, "\n", 1, NULL);
}

int apisystem_events(struct apicall *c, struct err *e)
{
	struct eventlog_query q = {0};
	int r = apicall_filters(c, &q.filters, e);

	if (r == 0)
		r = apicall_time(c, "since", &q.since_ns, e);
	if (r == 0)
		r = apicall_time(c, "until", &q.until_ns, e);
	if (r == 0)
		r = eventlog_check(&q.filters, e);
	if (r == 0)
		r = exchange_begin(c->x, 200, "application/json", e);
	if (r < 0)
		return r;
	apicall_leave_with_client(c);
	return eventlog_read(c->s, &q, show, c, e);
}
