/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/dockerinfo.h"
#include "base/buf.h"
#include "base/str.h"
#include "engine/info.h"
#include "engine/members.h"

#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/* As Go calls it. */
static const char *arch(const struct utsname *u)
{
	return streq(u->machine, "x86_64")    ? "amd64"
	       : streq(u->machine, "aarch64") ? "arm64"
					      : u->machine;
}

void dockerinfo_version(struct members *w)
{
	struct utsname u = {0};

	uname(&u);
	members_str(w, "Version", CAISSON_VERSION);
	members_str(w, "ApiVersion", DOCKERINFO_API);
	members_str(w, "MinAPIVersion", DOCKERINFO_API_MIN);
	members_str(w, "Os", "linux");
	members_str(w, "Arch", arch(&u));
	members_str(w, "KernelVersion", u.release);
	members_str(w, "GitCommit", "");
	members_str(w, "GoVersion", "");
	members_str(w, "BuildTime", "");
	members_array(w, "Components");
	members_item(w);
	members_str(w, "Name", "Engine");
	members_str(w, "Version", CAISSON_VERSION);
	members_open(w, "Details");
	members_str(w, "ApiVersion", DOCKERINFO_API);
	members_str(w, "MinAPIVersion", DOCKERINFO_API_MIN);
	members_str(w, "Os", "linux");
	members_str(w, "Arch", arch(&u));
	members_str(w, "KernelVersion", u.release);
	members_close(w);
	members_close(w);
	members_end(w);
	members_open(w, "Platform");
	members_str(w, "Name", "caisson");
	members_close(w);
}

void dockerinfo_client(struct members *w)
{
	struct utsname u = {0};

	uname(&u);
	members_str(w, "Version", CAISSON_VERSION);
	members_str(w, "ApiVersion", DOCKERINFO_API);
	members_str(w, "DefaultAPIVersion", DOCKERINFO_API);
	members_str(w, "GitCommit", "");
	members_str(w, "GoVersion", "");
	members_str(w, "Os", "linux");
	members_str(w, "Arch", arch(&u));
	members_str(w, "BuildTime", "");
	members_str(w, "Context", "default");
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

/* What docker's client prints, or people ask for, and has one answer here. */
static void constants(struct members *w)
{
	struct utsname u;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	members_str(w, "Name", uname(&u) == 0 ? u.nodename : "");
	members_stamp(w, "SystemTime", (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
	members_str(w, "IndexServerAddress", "https://index.docker.io/v1/");
	members_str(w, "HttpProxy", "");
	members_str(w, "HttpsProxy", "");
	members_str(w, "NoProxy", "");
	members_str(w, "Isolation", "");
	members_str(w, "ProductLicense", "");
	members_raw(w, "Labels", "[]");
	members_raw(w, "GenericResources", "null");
	members_yes(w, "Debug", false);
	members_yes(w, "ExperimentalBuild", false);
	members_yes(w, "LiveRestoreEnabled", true);
	members_num(w, "NEventsListener", 0);
}

void dockerinfo_info(struct members *w, const struct info *i, struct arena *a)
{
	int64_t n;

	n = i->instances.running + i->instances.paused + i->instances.stopped;
	members_num(w, "Containers", n);
	members_num(w, "ContainersRunning", i->instances.running);
	members_num(w, "ContainersPaused", i->instances.paused);
	members_num(w, "ContainersStopped", i->instances.stopped);
	members_num(w, "Images", i->images);
	members_str(w, "Driver", i->root_driver);
	members_raw(w, "DriverStatus", "[]");
	members_str(w, "DockerRootDir", i->root);
	members_str(w, "KernelVersion", i->kernel);
	members_str(w, "OperatingSystem", i->os);
	members_str(w, "OSVersion", "");
	members_str(w, "OSType", "linux");
	members_str(w, "Architecture", i->machine);
	constants(w);
	members_num(w, "NCPU", i->cpus);
	members_num(w, "MemTotal", (int64_t)i->memory_bytes);
	members_str(w, "CgroupDriver", "cgroupfs");
	members_str(w, "CgroupVersion", streq(i->cgroup, "v2") ? "2" : "1");
	members_str(w, "ServerVersion", i->version);
	members_str(w, "LoggingDriver", "json-file");
	members_raw(w, "Plugins",
		    "{\"Volume\":[\"local\"],\"Network\":[\"bridge\",\"host\",\"none\"],\"Log\":"
		    "[\"json-file\"]}");
	members_raw(w, "Swarm", "{\"LocalNodeState\":\"inactive\"}");
	members_list(w, "SecurityOptions", &i->security, "[]");
	members_list(w, "Warnings", &i->warnings, "[]");
	limits(w, i);
	members_yes(w, "IPv4Forwarding", i->nftables);
	walls(w, i, a);
}
