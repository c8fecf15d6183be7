/* SPDX-License-Identifier: Apache-2.0 */
/* Against the host's own hierarchies, below caisson-test-<pid>/; skipped where that is not allowed.
 * v2's files are tested on a directory of plain files, which takes what is written as a kernel
 * would. */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_int.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct err e;

static const char *test_path(const char *leaf)
{
	static char path[128];

	snprintf(path, sizeof(path), "/caisson-test-%d/%s", getpid(), leaf);
	return path;
}

/* The parent stays after every cgroup_remove(); this takes it away. */
static void remove_parents(void)
{
	const struct cgroup_host *h = cgroup_host_get(NULL);
	char path[128];

	snprintf(path, sizeof(path), "caisson-test-%d", getpid());
	for (size_t i = 0; h && i < h->n; i++) {
		int dir = open(h->tree[i].mount, O_PATH | O_DIRECTORY | O_CLOEXEC);

		unlinkat(dir, path, AT_REMOVEDIR);
		close(dir);
	}
}

/* A failed check leaves its function at once; nobody may stay behind on the host. */
__attribute__((destructor)) static void sweep(void)
{
	static const char *const leaves[] = {"limits", "kill",	"frozen",  "busy",  "late",  "oom",
					     "stats",  "saved", "devices", "probe", "closed"};

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		struct cgroup_request rq = {.path = test_path(leaves[i])};
		struct cgroup *cg = NULL;

		if (cgroup_open(&rq, &cg, NULL) == 0 && cg->n > 0) {
			cgroup_kill(cg, SIGKILL, NULL);
			cgroup_remove(cg, NULL);
		}
		cgroup_close(cg);
	}
	remove_parents();
}

static struct cgroup *make(const char *leaf, const struct plan_resources *res, unsigned int flags)
{
	struct cgroup_request rq = {
	    .path = test_path(leaf), .id = leaf, .flags = flags, .resources = res};
	struct cgroup *cg = NULL;

	if (cgroup_create(&rq, &cg, &e) < 0)
		printf("# %s\n", e.msg);
	return cg;
}

static bool usable(void)
{
	struct cgroup *cg;
	bool yes;

	if (geteuid() != 0)
		return false;
	cg = make("probe", NULL, 0);
	yes = cg && cg->n > 0;
	if (cg)
		cgroup_remove(cg, NULL);
	cgroup_close(cg);
	remove_parents();
	return yes;
}
#define NEEDS_CGROUP                                                                               \
	if (!usable())                                                                             \
	SKIP("needs root and a writable cgroup tree")

static pid_t child_in(const struct cgroup *cg, void (*run)(void))
{
	int ready[2];
	char c = 1;
	pid_t pid;

	if (pipe(ready) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		struct err ce;

		c = cgroup_enter(cg, &ce) < 0;
		if (c)
			printf("# %s\n", ce.msg), fflush(stdout);
		if (write(ready[1], &c, 1) != 1 || c)
			_exit(9);
		run();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1 || c)
		pid = -1;
	close(ready[0]);
	return pid;
}

static void run_pause(void)
{
	for (;;)
		pause();
}

static void run_forks(void)
{
	for (int i = 0; i < 8; i++)
		if (fork() == 0)
			run_pause();
	run_pause();
}

static void run_hog(void)
{
	for (;;) {
		char *p = malloc(1 << 20);

		memset(p, 1, 1 << 20);
	}
}

static void run_spin(void)
{
	for (;;)
		;
}

static struct jbind_optint num(int64_t v)
{
	return (struct jbind_optint){.set = true, .v = v};
}

static void text_of(const struct cgroup *cg, enum cgroup_ctl c, const char *file, char *out)
{
	*out = '\0';
	if (cg->of[c] >= 0)
		cgroup_file_read(cg->place[cg->of[c]].fd, file, out, 256);
}

TEST(limits_are_written)
{
	struct plan_memory m = {
	    .limit = num(64 << 20), .swap = num(64 << 20), .reservation = num(32 << 20)};
	struct plan_cpu c = {
	    .shares = num(512), .quota = num(50000), .period = num(100000), .cpus = "0"};
	struct plan_pids p = {.limit = num(17)};
	struct plan_resources r = {.memory = &m, .cpu = &c, .pids = &p};
	auto_cgroup struct cgroup *cg = NULL;
	struct cgroup_stats s;
	char t[256];

	NEEDS_CGROUP;
	cg = make("limits", &r, 0);
	CHECK(cg);
	CHECK_INT(cgroup_stats(cg, &s, &e), 0);
	CHECK_INT(s.memory_limit_bytes, 64 << 20);
	CHECK_INT(s.pids_limit, 17);
	CHECK_INT(s.memory_swap_limit_bytes, 0);
	if (cg->place[cg->of[CGROUP_CPU]].version == 1) {
		text_of(cg, CGROUP_CPU, "cpu.shares", t);
		CHECK_STR(t, "512");
		text_of(cg, CGROUP_CPUSET, "cpuset.cpus", t);
		CHECK_STR(t, "0");
		text_of(cg, CGROUP_CPUSET, "cpuset.mems", t);
		CHECK(*t);
	}
	/* Both directions: memory and swap must change in different orders. */
	m = (struct plan_memory){.limit = num(256 << 20), .swap = num(256 << 20)};
	c = (struct plan_cpu){.period = num(20000), .quota = num(5000)};
	CHECK_INT(cgroup_update(cg, &r, &e), 0);
	m = (struct plan_memory){.limit = num(16 << 20), .swap = num(32 << 20)};
	c = (struct plan_cpu){.quota = num(900000)};
	p.limit = num(0);
	CHECK_INT(cgroup_update(cg, &r, &e), 0);
	CHECK_INT(cgroup_stats(cg, &s, &e), 0);
	CHECK_INT(s.memory_limit_bytes, 16 << 20);
	CHECK_INT(s.memory_swap_limit_bytes, 16 << 20);
	CHECK_INT(s.pids_limit, 1);
	m = (struct plan_memory){.limit = num(-1)};
	CHECK_INT(cgroup_update(cg, &r, &e), 0);
	CHECK_INT(cgroup_stats(cg, &s, &e), 0);
	CHECK(s.memory_limit_bytes == UINT64_MAX);
	CHECK_INT(cgroup_remove(cg, &e), 0);
	CHECK_INT(cgroup_remove(cg, &e), 0);
	remove_parents();
}

TEST(enter_pids_kill_remove)
{
	auto_cgroup struct cgroup *cg = NULL;
	struct cgroup_stats s;
	pid_t *pids = NULL;
	pid_t pid;

	NEEDS_CGROUP;
	cg = make("kill", NULL, 0);
	CHECK(cg);
	pid = child_in(cg, run_forks);
	CHECK(pid > 0);
	for (int i = 0; i < 1000 && cgroup_pids(cg, &pids, &e) < 9; i++) {
		free(pids);
		pids = NULL;
		poll(NULL, 0, 1);
	}
	free(pids);
	CHECK_INT(cgroup_stats(cg, &s, &e), 0);
	CHECK_INT(s.pids, 9);
	CHECK_INT(cgroup_kill(cg, SIGKILL, &e), 0);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(cgroup_remove(cg, &e), 0);
	remove_parents();
}

/* Without the v2 tree, as on a v1 host. */
static void forget_v2(struct cgroup *cg)
{
	if (cg->unified < 0 || cg->n == 1)
		return;
	cg->unified = -1;
}

TEST(kill_frozen)
{
	for (int v1 = 0; v1 < 2; v1++) {
		auto_cgroup struct cgroup *cg = NULL;
		bool frozen = true;
		int unified;
		pid_t pid;

		NEEDS_CGROUP;
		cg = make("frozen", NULL, CGROUP_ALL);
		CHECK(cg);
		if (v1 && cg->of[CGROUP_FREEZER] < 0)
			SKIP("v1 part: no v1 freezer here");
		pid = child_in(cg, run_forks);
		CHECK(pid > 0);
		unified = cg->unified;
		if (v1)
			forget_v2(cg);
		CHECK_INT(cgroup_freeze_state(cg, &frozen, &e), 0);
		CHECK(!frozen);
		CHECK_INT(cgroup_freeze(cg, true, &e), 0);
		CHECK_INT(cgroup_freeze_state(cg, &frozen, &e), 0);
		CHECK(frozen);
		/* On v1 it is pending until the thaw; the v2 freezer lets a fatal signal through.
		 */
		CHECK_INT(cgroup_kill(cg, SIGTERM, &e), 0);
		if (v1)
			CHECK_INT(waitpid(pid, NULL, WNOHANG), 0);
		CHECK_INT(cgroup_kill(cg, SIGKILL, &e), 0);
		CHECK_INT(waitpid(pid, NULL, 0), pid);
		cg->unified = unified;
		CHECK_INT(cgroup_remove(cg, &e), 0);
	}
	remove_parents();
}

TEST(busy_and_frozen_are_refused)
{
	auto_cgroup struct cgroup *cg = NULL;
	auto_cgroup struct cgroup *again = NULL;
	pid_t pid;

	NEEDS_CGROUP;
	cg = make("busy", NULL, CGROUP_ALL);
	CHECK(cg);
	pid = child_in(cg, run_pause);
	CHECK(pid > 0);
	again = make("busy", NULL, CGROUP_ALL);
	CHECK(!again);
	CHECK(strstr(e.msg, "container's cgroup is not empty: 1 process(es) found"));
	cgroup_kill(cg, SIGKILL, &e);
	waitpid(pid, NULL, 0);
	CHECK_INT(cgroup_freeze(cg, true, &e), 0);
	again = make("busy", NULL, CGROUP_ALL);
	CHECK(!again);
	CHECK(strstr(e.msg, "unexpectedly frozen"));
	CHECK_INT(cgroup_freeze(cg, false, &e), 0);
	CHECK_INT(cgroup_remove(cg, &e), 0);
	remove_parents();
}

TEST(late_controller_and_subgroups)
{
	struct plan_cpu c = {.cpus = "0"};
	struct plan_resources r = {.cpu = &c};
	auto_cgroup struct cgroup *cg = NULL;
	char t[256], want[32];
	const struct cgroup_place *p;
	pid_t pid;

	NEEDS_CGROUP;
	cg = make("late", NULL, 0);
	CHECK(cg);
	pid = child_in(cg, run_pause);
	CHECK(pid > 0);
	CHECK_INT(cgroup_update(cg, &r, &e), 0);
	if (cg->of[CGROUP_CPUSET] >= 0 && cg->place[cg->of[CGROUP_CPUSET]].version == 1) {
		text_of(cg, CGROUP_CPUSET, "cgroup.procs", t);
		snprintf(want, sizeof(want), "%d", pid);
		CHECK_STR(t, want);
	}
	CHECK(cgroup_places(cg, &p) > 0);
	CHECK_INT(mkdirat(p[0].fd, "below", 0755), 0);
	CHECK_INT(cgroup_kill(cg, SIGKILL, &e), 0);
	waitpid(pid, NULL, 0);
	CHECK_INT(cgroup_remove(cg, &e), 0);
	remove_parents();
}

/* As systemd inside an instance: everybody below, the top hands controllers down. */
TEST(one_more_process_where_the_top_is_closed)
{
	auto_cgroup struct cgroup *cg = NULL;
	auto_cgroup struct cgroup *again = NULL;
	auto_buf struct buf b = BUF_INIT(65536);
	pid_t pid, more;
	char text[64];
	int top;

	NEEDS_CGROUP;
	cg = make("closed", NULL, 0);
	CHECK(cg);
	if (cg->unified < 0 || cg->of[CGROUP_PIDS] != cg->unified) {
		cgroup_remove(cg, &e);
		SKIP("no v2 controllers here");
	}
	top = cg->place[cg->unified].fd;
	pid = child_in(cg, run_pause);
	CHECK(pid > 0);
	CHECK_INT(mkdirat(top, "init.scope", 0755), 0);
	snprintf(text, sizeof(text), "%d", pid);
	CHECK_INT(file_put(top, "init.scope/cgroup.procs", text), 0);
	CHECK_INT(file_put(top, "cgroup.subtree_control", "+pids"), 0);
	cgroup_save(cg, &b);
	CHECK_INT(cgroup_open_saved(b.p, &again, &e), 0);
	more = child_in(again, run_pause);
	CHECK(more > 0);
	snprintf(text, sizeof(text), "%d\n%d", pid, more);
	{
		char procs[64];

		cgroup_file_read(top, "init.scope/cgroup.procs", procs, sizeof(procs));
		CHECK_STR(procs, text);
	}
	CHECK_INT(cgroup_kill(again, SIGKILL, &e), 0);
	waitpid(pid, NULL, 0);
	waitpid(more, NULL, 0);
	CHECK_INT(cgroup_remove(again, &e), 0);
	remove_parents();
}

TEST(oom_is_told)
{
	struct plan_memory m = {.limit = num(8 << 20), .swap = num(8 << 20)};
	struct plan_resources r = {.memory = &m};
	auto_cgroup struct cgroup *cg = NULL;
	struct pollfd p = {.events = POLLIN};
	uint64_t kills = 0;
	pid_t pid;

	NEEDS_CGROUP;
	cg = make("oom", &r, 0);
	CHECK(cg);
	p.fd = cgroup_oom_fd(cg, &e);
	CHECK(p.fd >= 0);
	CHECK_INT(poll(&p, 1, 0), 0);
	pid = child_in(cg, run_hog);
	CHECK(pid > 0);
	CHECK_INT(poll(&p, 1, 10000), 1);
	waitpid(pid, NULL, 0);
	CHECK_INT(cgroup_oom_kills(cg, &kills, &e), 0);
	CHECK_INT(kills, 1);
	close(p.fd);
	CHECK_INT(cgroup_remove(cg, &e), 0);
	remove_parents();
}

TEST(stats_move)
{
	auto_cgroup struct cgroup *cg = NULL;
	struct cgroup_stats s;
	pid_t pid;

	NEEDS_CGROUP;
	cg = make("stats", NULL, 0);
	CHECK(cg);
	pid = child_in(cg, run_spin);
	CHECK(pid > 0);
	poll(NULL, 0, 60);
	CHECK_INT(cgroup_freeze(cg, true, &e), 0);
	CHECK_INT(cgroup_stats(cg, &s, &e), 0);
	CHECK(s.cpu_ns > 1000 * 1000);
	CHECK_INT(s.pids, 1);
	cgroup_kill(cg, SIGKILL, &e);
	waitpid(pid, NULL, 0);
	CHECK_INT(cgroup_remove(cg, &e), 0);
	remove_parents();
}

TEST(saved_opens)
{
	auto_cgroup struct cgroup *cg = NULL;
	auto_cgroup struct cgroup *two = NULL;
	auto_cgroup struct cgroup *three = NULL;
	auto_buf struct buf b = BUF_INIT(65536);
	struct cgroup_request rq;

	NEEDS_CGROUP;
	cg = make("saved", NULL, 0);
	CHECK(cg);
	cgroup_save(cg, &b);
	CHECK_INT(cgroup_open_saved(b.p, &two, &e), 0);
	CHECK_INT(two->n, cg->n);
	CHECK_INT(memcmp(two->of, cg->of, sizeof(cg->of)), 0);
	rq = (struct cgroup_request){.path = test_path("saved")};
	CHECK_INT(cgroup_open(&rq, &three, &e), 0);
	CHECK_INT(three->n, cg->n);
	CHECK_INT(cgroup_remove(two, &e), 0);
	cgroup_close(two);
	two = NULL;
	CHECK_INT(cgroup_open_saved(b.p, &two, &e), 0);
	CHECK_INT(two->n, 0);
	CHECK_INT(cgroup_kill(two, SIGKILL, &e), 0);
	CHECK_INT(cgroup_remove(two, &e), 0);
	CHECK(cgroup_open_saved("{", &three, &e) < 0);
	remove_parents();
}

static int try_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : errno;
}

static int device_results; /* in the child: 1 null works, 2 kmsg refused */

static void run_devices(void)
{
	device_results = (try_open("/dev/null") == 0) | (try_open("/dev/kmsg") == EPERM ? 2 : 0);
	_exit(device_results);
}

TEST(devices_are_refused)
{
	auto_cgroup struct cgroup *cg = NULL;
	struct plan_device_rule rules[] = {
	    {.allow = false, .access = "rwm"},
	    {.allow = true, .type = "c", .major = num(1), .minor = num(11), .access = "r"}};
	struct plan_resources r = {.devices = {rules, 2}};
	int status;
	pid_t pid;

	NEEDS_CGROUP;
	if (try_open("/dev/kmsg") != 0)
		SKIP("no /dev/kmsg");
	for (int v2 = 0; v2 < 2; v2++) {
		cg = make("devices", NULL, 0);
		CHECK(cg);
		if (v2) {
			if (cg->unified < 0)
				SKIP("no v2 tree");
			rules[0].allow = true; /* v1 lets everything through */
			CHECK_INT(cgroup_update(cg, &r, &e), 0);
			rules[0].allow = false;
			CHECK_INT(cgroup_devices_v2(cgroup_dir_fd(cg),
						    &(struct plan_device_rules){0}, &e),
				  0);
		}
		pid = child_in(cg, run_devices);
		CHECK(pid > 0);
		waitpid(pid, &status, 0);
		CHECK_INT(WEXITSTATUS(status), 3);
		if (v2)
			CHECK_INT(cgroup_devices_v2(cgroup_dir_fd(cg), &r.devices, &e), 0);
		else
			CHECK_INT(cgroup_update(cg, &r, &e), 0);
		pid = child_in(cg, run_devices);
		CHECK(pid > 0);
		waitpid(pid, &status, 0);
		CHECK_INT(WEXITSTATUS(status), 1);
		CHECK_INT(cgroup_remove(cg, &e), 0);
		cgroup_close(cg);
		cg = NULL;
	}
	remove_parents();
}

TEST(without_rights)
{
	struct plan_pids p = {.limit = num(10)};
	struct plan_resources r = {.pids = &p};
	int status;
	pid_t pid;

	NEEDS_CGROUP;
	pid = fork();
	if (pid == 0) {
		struct cgroup_request rq = {
		    .path = "/caisson-test-denied", .id = "x", .flags = CGROUP_PATH_OURS};
		struct cgroup *cg = NULL;

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		if (cgroup_create(&rq, &cg, &e) < 0 || !cg->denied || cgroup_enter(cg, &e) < 0 ||
		    cgroup_kill(cg, SIGKILL, &e) < 0)
			_exit(2);
		rq.resources = &r;
		if (cgroup_create(&rq, &cg, &e) != -EACCES || !strstr(e.msg, "pids"))
			_exit(3);
		rq.resources = NULL;
		rq.flags = 0;
		if (cgroup_create(&rq, &cg, &e) != -EACCES || !strstr(e.msg, "cgroupsPath"))
			_exit(4);
		rq.path = NULL;
		_exit(cgroup_create(&rq, &cg, &e) < 0 || !cg->denied ? 5 : 0);
	}
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
}

TEST(paths)
{
	struct arena a = ARENA_INIT;
	const char *out, *unit;
	char longname[400];

	memset(longname, 'x', sizeof(longname));
	longname[399] = '\0';
	CHECK_INT(cgroup_path_clean(&a, "//a/./b/", &out, &e), 0);
	CHECK_STR(out, "a/b");
	CHECK(cgroup_path_clean(&a, "/a/../b", &out, &e) < 0);
	CHECK(cgroup_path_clean(&a, "/a\nb", &out, &e) < 0);
	CHECK(cgroup_path_clean(&a, "/", &out, &e) < 0);
	CHECK(cgroup_path_clean(&a, longname, &out, &e) < 0);
	CHECK_INT(cgroup_path_slice(&a, "a-b-c.slice", &out, &e), 0);
	CHECK_STR(out, "a.slice/a-b.slice/a-b-c.slice");
	CHECK_INT(cgroup_path_slice(&a, "-.slice", &out, &e), 0);
	CHECK_STR(out, "");
	CHECK(cgroup_path_slice(&a, "a--b.slice", &out, &e) < 0);
	CHECK(cgroup_path_slice(&a, "../x.slice", &out, &e) < 0);
	CHECK_INT(cgroup_path_unit(&a, "x.slice:cri:123", NULL, &out, &unit, &e), 0);
	CHECK_STR(out, "x.slice");
	CHECK_STR(unit, "cri-123.scope");
	CHECK_INT(cgroup_path_unit(&a, NULL, "id", &out, &unit, &e), 0);
	CHECK_STR(unit, "caisson-id.scope");
	CHECK(cgroup_path_unit(&a, "/abs/path", "id", &out, &unit, &e) < 0);
	CHECK(cgroup_path_unit(&a, "a:b:c/d", "id", &out, &unit, &e) < 0);
	arena_free(&a);
}

TEST(hosts)
{
	static struct cgroup_host h;
	char hybrid[] =
	    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	    "33 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup "
	    "rw,xattr,name=systemd\n"
	    "34 31 0:29 / /mnt/again rw - cgroup cgroup rw,cpu,cpuacct\n"
	    "36 31 0:31 /hidden /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	    "35 31 0:31 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
	char own[] =
	    "9:name=systemd:/user/me\n4:cpu,cpuacct:/\n3:memory:/docker/x/y\n0::/user/me\n";

	memset(&h, 0, sizeof(h));
	CHECK_INT(cgroup_host_parse(&h, hybrid, own), 4);
	CHECK_INT(h.unified, 3);
	CHECK_STR(h.tree[0].mount, "/sys/fs/cgroup/cpu,cpuacct");
	CHECK_INT(h.tree[0].controllers, CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_CPUACCT));
	CHECK_STR(h.tree[1].own, "user/me");
	CHECK_STR(h.tree[2].own, "y");
	CHECK_STR(h.tree[3].own, "user/me");
	CHECK(!h.tree[2].aside && !h.tree[3].aside);
	arena_free(&h.arena);
}

/* From among the engine's own, v1's relative paths mean what they mean to who started them. */
TEST(hosts_from_aside)
{
	static struct cgroup_host h;
	char mounts[] = "32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
			"33 31 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
			"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
	char own[] =
	    "4:memory:/a/b/" CGROUP_ASIDE "\n3:pids:/" CGROUP_ASIDE "\n0::/a/" CGROUP_ASIDE "\n";

	memset(&h, 0, sizeof(h));
	CHECK_INT(cgroup_host_parse(&h, mounts, own), 3);
	CHECK_STR(h.tree[0].own, "a/b");
	CHECK_STR(h.tree[1].own, "");
	CHECK_STR(h.tree[2].own, "a/" CGROUP_ASIDE);
	CHECK(h.tree[0].aside && h.tree[1].aside && h.tree[2].aside);
	arena_free(&h.arena);
}

TEST(conversions)
{
	auto_buf struct buf b = BUF_INIT(1000);
	int64_t v = 7;

	CHECK_INT(cgroup_convert_shares(2), 1);
	CHECK_INT(cgroup_convert_shares(1024), 100);
	CHECK_INT(cgroup_convert_shares(262144), 10000);
	CHECK_INT(cgroup_convert_shares(0), 0);
	for (uint64_t s = 3; s < 262144; s += 97)
		CHECK(cgroup_convert_shares(s) <= cgroup_convert_shares(s + 97));
	CHECK_INT(cgroup_convert_blkio(10), 1);
	CHECK_INT(cgroup_convert_blkio(1000), 10000);
	CHECK_INT(cgroup_convert_swap(300, 100, &v, &e), 1);
	CHECK_INT(v, 200);
	CHECK_INT(cgroup_convert_swap(0, 100, &v, &e), 0);
	CHECK(cgroup_convert_swap(50, 100, &v, &e) < 0);
	CHECK(cgroup_convert_swap(50, 0, &v, &e) < 0);
	CHECK_INT(cgroup_convert_rdma("{\"mlx5\":{\"hcaHandles\":3,\"hcaObjects\":10}}", &b, &e),
		  0);
	CHECK_STR(b.p, "mlx5 hca_handle=3 hca_object=10\n");
	CHECK(cgroup_convert_rdma("{\"a b\":{\"hcaHandles\":3}}", &b, &e) < 0);
	CHECK(cgroup_convert_rdma("{\"a\":{\"hcaHandles\":\"x\"}}", &b, &e) < 0);
}

/* ---- v2's files, on a directory of plain files ---- */

static int fake_dir(char path[64], const char *files)
{
	snprintf(path, 64, "/tmp/caisson-test-XXXXXX");
	if (!mkdtemp(path))
		return -1;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (*files) {
		char name[64];
		size_t n = strcspn(files, " ");
		int fd;

		snprintf(name, sizeof(name), "%.*s", (int)n, files);
		fd = openat(dir, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		close(fd);
		files += n;
		files += *files == ' ';
	}
	return dir;
}

static const char *fake_read(int dir, const char *file)
{
	static char text[8][256];
	static int at;
	char *t = text[at = (at + 1) % 8];

	t[0] = '\0';
	cgroup_file_read(dir, file, t, 256);
	return t;
}

static void fake_done(const char *path)
{
	auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	path_remove(tmp, strrchr(path, '/') + 1);
}

TEST(v2_files)
{
	char path[64];
	int dir = fake_dir(path, "memory.max memory.low memory.swap.max cpu.weight cpu.max "
				 "cpu.max.burst cpu.idle io.max io.weight hugetlb.2MB.max");
	struct plan_memory m = {.limit = num(1000), .swap = num(1500), .reservation = num(500)};
	struct plan_cpu c = {.shares = num(1024), .quota = num(50000), .period = num(100000)};
	struct plan_throttle t[] = {{8, 0, 4096}};
	struct plan_blkio b = {.weight = num(1000), .read_bps = {t, 1}};
	struct jbind_pair u[] = {{"memory.max", "7"}};
	struct plan_resources r = {.memory = &m, .cpu = &c, .block_io = &b, .unified = {u, 1}};

	CHECK(dir >= 0);
	CHECK_INT(cgroup_v2_memory(dir, &r, &e), 0);
	CHECK_STR(fake_read(dir, "memory.max"), "1000");
	CHECK_STR(fake_read(dir, "memory.low"), "500");
	CHECK_STR(fake_read(dir, "memory.swap.max"), "500");
	CHECK_INT(cgroup_v2_cpu(dir, &r, &e), 0);
	CHECK_STR(fake_read(dir, "cpu.weight"), "100");
	CHECK_STR(fake_read(dir, "cpu.max"), "50000 100000");
	CHECK_INT(cgroup_v2_io(dir, &r, &e), 0);
	CHECK_STR(fake_read(dir, "io.weight"), "10000");
	CHECK_STR(fake_read(dir, "io.max"), "8:0 rbps=4096");
	CHECK_INT(cgroup_v2_unified(dir, &r, &e), 0);
	CHECK(fake_read(dir, "memory.max")[0] == '7');
	u[0].key = "cgroup.procs";
	CHECK(cgroup_v2_unified(dir, &r, &e) < 0);
	u[0].key = "../memory.max";
	CHECK(cgroup_v2_unified(dir, &r, &e) < 0);
	u[0].key = "memory.none";
	CHECK_INT(cgroup_v2_unified(dir, &r, &e), -EOPNOTSUPP);
	m = (struct plan_memory){.disable_oom_killer = true};
	CHECK_INT(cgroup_v2_memory(dir, &r, &e), -EOPNOTSUPP);
	c = (struct plan_cpu){.realtime_runtime = num(1)};
	CHECK_INT(cgroup_v2_cpu(dir, &r, &e), -EOPNOTSUPP);
	close(dir);
	fake_done(path);
}

TEST_MAIN(T(paths), T(hosts), T(hosts_from_aside), T(conversions), T(v2_files),
	  T(limits_are_written), T(enter_pids_kill_remove), T(kill_frozen),
	  T(busy_and_frozen_are_refused), T(late_controller_and_subgroups),
	  T(one_more_process_where_the_top_is_closed), T(oom_is_told), T(stats_move),
	  T(saved_opens), T(devices_are_refused), T(without_rights))
