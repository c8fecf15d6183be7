/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "vmm/guestplan.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(const char *json, struct arena *a, struct guestplan *g, struct err *e)
{
	struct plan *p;
	int r = plan_parse(json, strlen(json), "plan", a, &p, e);

	return r < 0 ? r : guestplan_make(p, a, g, e);
}

#define HEAD                                                                                       \
	"{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":[\"x\"],\"cwd\":\"/\","                   \
	"\"user\":{\"uid\":0,\"gid\":0},\"apparmorProfile\":\"p\"},\"root\":{\"path\":\"r\"},"

TEST(host_paths_and_limits_do_not_reach_the_guest)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(1u << 20);
	struct guestplan g;
	struct err e = ERR_INIT;

	CHECK_INT(make(HEAD
		       "\"linux\":{\"cgroupsPath\":\"/host/secret\",\"resources\":{\"memory\":"
		       "{\"limit\":1},\"pids\":{\"limit\":7}},\"namespaces\":[{\"type\":"
		       "\"pid\"},{\"type\":\"network\",\"path\":\"/proc/self/fd/9\"}]},"
		       "\"caisson\":{\"id\":\"abc\",\"stateDir\":\"/host/secret\",\"runDir\":"
		       "\"/host/secret\",\"netNs\":\"/host/secret\",\"rootfs\":{\"disk\":["
		       "\"/host/secret/a\",\"/host/secret/b\"],\"diskRw\":\"/host/secret/c\"}}}",
		       &a, &g, &e),
		  0);
	plan_write(&g.plan, &b);
	CHECK(!strstr(b.p, "secret"));
	CHECK_STR(plan_namespace_path(&g.plan, "network"), "/proc/1/ns/net");
	CHECK(!strstr(b.p, "apparmor"));
	CHECK(!g.plan.linux_->resources->memory);
	CHECK_INT(g.plan.linux_->resources->pids->limit.v, 7);
	CHECK_INT(g.plan.caisson->rootfs.disk.n, 1);
	CHECK_STR(g.plan.root->path, "/run/caisson/root");
}

TEST(a_root_that_is_a_directory_is_shared)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(1u << 20);
	struct guestplan g;
	struct err e = ERR_INIT;

	CHECK_INT(make(HEAD "\"linux\":{},\"caisson\":{\"id\":\"abc\",\"rootfs\":{\"lower\":["
			    "\"/host/secret\"]}}}",
		       &a, &g, &e),
		  0);
	plan_write(&g.plan, &b);
	CHECK(!strstr(b.p, "secret"));
	CHECK_INT(g.share_count, 1);
	CHECK_STR(g.shares[0].source, "/host/secret");
	CHECK_STR(g.shares[0].tag, "root");
	CHECK(!g.shares[0].readonly);
	CHECK_STR(g.plan.caisson->rootfs.lower.v[0], "root");
	CHECK_INT(make(HEAD "\"linux\":{},\"caisson\":{\"id\":\"abc\",\"rootfs\":{\"lower\":["
			    "\"/a\"],\"disk\":[\"/b\"]}}}",
		       &a, &g, &e),
		  0);
	CHECK_INT(g.share_count, 0);
	CHECK_INT(g.plan.caisson->rootfs.lower.n, 0);
}

TEST(mounts_become_files_and_shares)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf json = BUF_INIT(65536);
	char dir[] = "/tmp/guestplan-XXXXXX", state[64], hosts[80], data[64];
	struct guestplan g;
	struct err e = ERR_INIT;
	FILE *f;

	CHECK(mkdtemp(dir));
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(data, sizeof(data), "%s/data", dir);
	snprintf(hosts, sizeof(hosts), "%s/hosts", state);
	CHECK_INT(mkdir(state, 0700), 0);
	CHECK_INT(mkdir(data, 0700), 0);
	f = fopen(hosts, "we");
	CHECK(f);
	fclose(f);
	buf_printf(&json,
		   HEAD "\"linux\":{},\"mounts\":["
			"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
			"{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"%s\"},"
			"{\"destination\":\"/data\",\"source\":\"%s\",\"options\":[\"rbind\"]},"
			"{\"destination\":\"/ro\",\"source\":\"%s\",\"options\":[\"bind\",\"ro\"]},"
			"{\"destination\":\"/again\",\"type\":\"bind\",\"source\":\"%s\"}],"
			"\"caisson\":{\"id\":\"abc\",\"stateDir\":\"%s\"}}",
		   hosts, data, data, data, state);
	CHECK_INT(make(json.p, &a, &g, &e), 0);
	CHECK_INT(g.file_count, 1);
	CHECK_INT(g.share_count, 2);
	CHECK_STR(g.plan.mounts.v[0].source, "proc");
	CHECK_STR(g.plan.mounts.v[1].source, "/run/caisson/files/0");
	CHECK_STR(g.plan.mounts.v[2].source, "/run/caisson/shares/0");
	CHECK_STR(g.plan.mounts.v[3].source, "/run/caisson/shares/1");
	CHECK_STR(g.plan.mounts.v[4].source, "/run/caisson/shares/0");
	CHECK(!g.shares[0].readonly && g.shares[1].readonly);
	unlink(hosts);
	rmdir(state);
	rmdir(data);
	rmdir(dir);
}

TEST(what_a_guest_cannot_have_is_refused_by_name)
{
	auto_arena struct arena a = ARENA_INIT;
	struct guestplan g;
	struct err e = ERR_INIT;

	CHECK_INT(make(HEAD "\"linux\":{\"devices\":[{\"path\":\"/dev/sda\",\"type\":\"b\","
			    "\"major\":8,\"minor\":0}]},\"caisson\":{\"id\":\"a\"}}",
		       &a, &g, &e),
		  -EOPNOTSUPP);
	CHECK(strstr(e.msg, "/dev/sda"));
	CHECK_INT(make(HEAD "\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/proc/1/ns/"
			    "pid\"}]},\"caisson\":{\"id\":\"a\"}}",
		       &a, &g, &e),
		  -EOPNOTSUPP);
	CHECK_INT(make(HEAD "\"linux\":{},\"mounts\":[{\"destination\":\"/n\",\"type\":\"bind\","
			    "\"source\":\"/dev/null\"}],\"caisson\":{\"id\":\"a\"}}",
		       &a, &g, &e),
		  -EOPNOTSUPP);
	CHECK_INT(make(HEAD "\"linux\":{},\"mounts\":[{\"destination\":\"/n\",\"type\":\"bind\","
			    "\"source\":\"/nonexistent-x\"}],\"caisson\":{\"id\":\"a\"}}",
		       &a, &g, &e),
		  -ENOENT);
}

TEST_MAIN(T(host_paths_and_limits_do_not_reach_the_guest), T(a_root_that_is_a_directory_is_shared),
	  T(mounts_become_files_and_shares), T(what_a_guest_cannot_have_is_refused_by_name))
