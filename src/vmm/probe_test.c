/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "spec/trace.h"
#include "vmm/probe.h"

#include <unistd.h>

TEST(says_something_and_caches_it)
{
	char dir[] = "/tmp/probe-XXXXXX", path[64];
	struct probe_result r = {0}, again = {0};
	struct err e = ERR_INIT;
	auto_buf struct buf out = BUF_INIT(4096);
	int64_t t = trace_now_ns();

	CHECK(mkdtemp(dir));
	CHECK_INT(probe_accel(dir, &r, &e), 0);
	printf("# %.1f ms\n", (double)(trace_now_ns() - t) / 1e6);
	CHECK(r.kvm >= 0 && r.kvm < PROBE_KVM_MAX_);
	CHECK(r.why[0]);
	CHECK(r.tsc_khz > 100000);
	CHECK_STR(probe_name(&r), r.kvm == PROBE_USABLE ? "kvm" : "tcg");
	probe_write(&r, &out);
	printf("# %s\n", out.p);
	CHECK(strstr(out.p, "\"kvm\":\""));
	snprintf(path, sizeof(path), "%s/probe.json", dir);
	CHECK_INT(access(path, R_OK), 0);
	t = trace_now_ns();
	CHECK_INT(probe_accel(dir, &again, &e), 0);
	CHECK(trace_now_ns() - t < 50000000);
	CHECK_INT(again.kvm, r.kvm);
	CHECK_STR(again.why, r.why);
	CHECK(again.tsc_khz == r.tsc_khz);
	unlink(path);
	rmdir(dir);
}

/* What another boot wrote, or somebody else, is not believed. */
TEST(a_foreign_cache_is_measured_again)
{
	char dir[] = "/tmp/probe-XXXXXX", path[64];
	struct probe_result r = {0};
	struct err e = ERR_INIT;
	FILE *f;

	CHECK(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/probe.json", dir);
	f = fopen(path, "we");
	CHECK(f);
	fputs("{\"kvm\":\"usable\",\"why\":\"planted\",\"tscKhz\":1,\"psPerInstruction\":1,"
	      "\"bootId\":\"00000000-0000-0000-0000-000000000000\",\"user\":0}",
	      f);
	fclose(f);
	CHECK_INT(probe_accel(dir, &r, &e), 0);
	CHECK(strcmp(r.why, "planted"));
	unlink(path);
	rmdir(dir);
}

TEST_MAIN(T(says_something_and_caches_it), T(a_foreign_cache_is_measured_again))
