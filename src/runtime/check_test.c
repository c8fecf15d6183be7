/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "runtime/check.h"
#include "spec/plan.h"

/* The smallest plan that means something, with more members of process, the top and linux. */
static int check_with(const char *process, const char *top, const char *linux_part, struct err *e)
{
	struct arena a = ARENA_INIT;
	struct plan *p = NULL;
	const char *text = arena_printf(
	    &a,
	    "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"],\"cwd\":\"/"
	    "\",\"user\":{\"uid\":0,"
	    "\"gid\":0}%s},\"root\":{\"path\":\"r\"}%s,\"linux\":{\"namespaces\":[{\"type\":"
	    "\"mount\"}]%s}}",
	    process, top, linux_part);
	int r = plan_parse(text, strlen(text), "config.json", &a, &p, e);

	if (r == 0)
		r = check_plan(p, e);
	arena_free(&a);
	return r;
}

TEST(the_smallest_plan_is_fine)
{
	struct err e = ERR_INIT;

	CHECK_INT(check_with("", "", "", &e), 0);
	CHECK_INT(e.kind, ERR_NONE);
}

static int names(const char *process, const char *top, const char *linux_part, const char *where)
{
	struct err e = ERR_INIT;

	if (check_with(process, top, linux_part, &e) >= 0)
		return 0;
	if (!strstr(e.msg, where))
		printf("# %s\n", e.msg);
	return strstr(e.msg, where) != NULL;
}

TEST(what_is_wrong_is_named_by_its_path)
{
	CHECK(names(",\"env\":[\"A=b\",\"B\"]", "", "", "process.env[1]"));
	CHECK(names(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]", "", "",
		    "process.rlimits[0]"));
	CHECK(names(",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}", "", "",
		    "process.ioPriority.priority"));
	CHECK(names("", ",\"mounts\":[{\"destination\":\"\"}]", "", "mounts[0].destination"));
	CHECK(names("", ",\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}", "",
		    "hooks.poststop[0].timeout"));
	CHECK(names("", "", ",\"devices\":[{\"path\":\"/x\",\"type\":\"z\"}]",
		    "linux.devices[0].type"));
	CHECK(names("", "", ",\"netDevices\":{\"eth0\":{}}", "linux.netDevices"));
}

TEST(a_sysctl_needs_the_namespace_that_owns_it)
{
	CHECK(names("", "", ",\"sysctl\":{\"net.core.somaxconn\":\"1\"}", "network namespace"));
	CHECK(names("", "", ",\"sysctl\":{\"kernel.panic\":\"1\"}", "not in a separate kernel"));
	/* "kernel.semx" is not kernel.sem, and a prefix with a dot is not a name by itself. */
	CHECK(names("", "", ",\"sysctl\":{\"kernel.semx\":\"1\"}", "not in a separate kernel"));
	CHECK(
	    names("", "", ",\"sysctl\":{\"net.ipv4/../../kernel/panic\":\"1\"}", "is not a name"));
}

TEST(id_ranges_may_not_wrap)
{
	CHECK(names("", "",
		    ",\"uidMappings\":[{\"containerID\":0,\"hostID\":4294967290,\"size\":10}]",
		    "linux.uidMappings"));
}

TEST_MAIN(T(the_smallest_plan_is_fine), T(what_is_wrong_is_named_by_its_path),
	  T(a_sysctl_needs_the_namespace_that_owns_it), T(id_ranges_may_not_wrap))
