/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "oci/ocivmplan.h"
#include "spec/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

TEST(the_size_of_the_machine)
{
	struct plan_memory m = {.limit = {true, 300000000}};
	struct plan_cpu c = {.quota = {true, 150000}};
	struct plan_resources r = {.memory = &m, .cpu = &c};

	CHECK_INT(ocivmplan_memory(NULL), 256 << 20);
	CHECK_INT(ocivmplan_memory(&r), 287 << 20);
	m.limit.v = 1;
	CHECK_INT(ocivmplan_memory(&r), 128 << 20);
	m.limit.v = -1;
	CHECK_INT(ocivmplan_memory(&r), 256 << 20);
	CHECK_INT(ocivmplan_cpus(NULL, 4), 1);
	CHECK_INT(ocivmplan_cpus(&r, 4), 2);
	CHECK_INT(ocivmplan_cpus(&r, 1), 1);
	c.period = (struct jbind_optint){true, 10000};
	CHECK_INT(ocivmplan_cpus(&r, 64), 15);
	c.quota.v = INT64_MAX;
	CHECK_INT(ocivmplan_cpus(&r, 64), 64);
	c.quota.v = -1;
	CHECK_INT(ocivmplan_cpus(&r, 64), 1);
}

static int adapt(const char *json, const char *bundle, struct arena *a, struct plan **p,
		 struct err *e)
{
	int r = plan_parse(json, strlen(json), "plan", a, p, e);

	return r < 0 ? r : ocivmplan_adapt(*p, bundle, "id", "/cache", a, e);
}

#define PROCESS "\"process\":{\"args\":[\"x\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}"

TEST(paths_of_a_bundle_become_absolute_and_links_are_refused)
{
	auto_arena struct arena a = ARENA_INIT;
	char dir[] = "/tmp/ocivmplan-XXXXXX", path[64];
	struct err e = ERR_INIT;
	struct plan *p;

	CHECK(mkdtemp(dir));
	CHECK_INT(adapt("{\"ociVersion\":\"1.2.0\"," PROCESS
			",\"root\":{\"path\":\".\"},\"linux\":{},"
			"\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"sub\"},"
			"{\"destination\":\"/b\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}]}",
			dir, &a, &p, &e),
		  0);
	snprintf(path, sizeof(path), "%s/sub", dir);
	CHECK_STR(p->mounts.v[0].source, path);
	CHECK_STR(p->mounts.v[1].source, "tmpfs");
	snprintf(path, sizeof(path), "%s/.", dir);
	CHECK_STR(p->caisson->rootfs.lower.v[0], path);
	snprintf(path, sizeof(path), "%s/link", dir);
	CHECK_INT(symlink("/", path), 0);
	CHECK_INT(adapt("{\"ociVersion\":\"1.2.0\"," PROCESS
			",\"root\":{\"path\":\"link\"},\"linux\":{}}",
			dir, &a, &p, &e),
		  -EINVAL);
	CHECK(strstr(e.msg, "not a directory"));
	unlink(path);
	rmdir(dir);
}

TEST(what_cannot_be_kept_is_named)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct plan *p;

	CHECK_INT(
	    adapt("{\"ociVersion\":\"1.2.0\"," PROCESS ",\"root\":{\"path\":\"/\"},\"linux\":"
		  "{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/l\"}}}",
		  "/", &a, &p, &e),
	    -EOPNOTSUPP);
	CHECK(strstr(e.msg, "listenerPath"));
	CHECK(!p->caisson);
}

TEST_MAIN(T(the_size_of_the_machine), T(paths_of_a_bundle_become_absolute_and_links_are_refused),
	  T(what_cannot_be_kept_is_named))
