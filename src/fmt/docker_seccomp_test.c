/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/docker_seccomp.h"

#include <string.h>

static const char *const two[] = {"CAP_CHOWN", "CAP_SYS_ADMIN", NULL};
static const struct strs caps = {(const char **)(uintptr_t)two, 2};

static int convert(const char *text, struct buf *out, struct err *e)
{
	const struct docker_seccomp_host h = {&caps, "amd64", 5, 10};

	return docker_seccomp_convert(text, strlen(text), "profile", &h, out, e);
}

TEST(conditions_are_decided)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	CHECK_INT(
	    convert(
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"archMap\":[{"
		"\"architecture\":"
		"\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]},{\"architecture\":"
		"\"SCMP_ARCH_AARCH64\"}],\"syscalls\":["
		"{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"x\"},"
		"{\"name\":\"write\",\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":["
		"\"arm64\"]}},"
		"{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_"
		"BPF\"]}},"
		"{\"names\":[\"c\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_"
		"CHOWN\"]}},"
		"{\"names\":[\"d\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"5."
		"11\"}},"
		"{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,"
		"\"value\":2,"
		"\"op\":\"SCMP_CMP_EQ\"}],\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"],\"minKernel\":"
		"\"4.8\"}}]}",
		&b, NULL),
	    0);
	CHECK_STR(b.p,
		  "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"architectures\":["
		  "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],\"syscalls\":[{\"names\":[\"read\"],"
		  "\"action\":\"SCMP_ACT_ALLOW\"},{\"names\":[\"write\"],\"action\":\"SCMP_ACT_"
		  "ALLOW\"},{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{"
		  "\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}]}");
}

TEST(what_is_ambiguous_is_refused)
{
	static const char *const bad[] = {
	    "{}",
	    "[]",
	    "x",
	    "{\"defaultAction\":\"A\",\"architectures\":[\"X\"],\"archMap\":[{\"architecture\":"
	    "\"Y\"}]}",
	    "{\"defaultAction\":\"A\",\"syscalls\":[{\"action\":\"B\"}]}",
	    "{\"defaultAction\":\"A\",\"syscalls\":[{\"name\":\"a\",\"names\":[\"b\"],\"action\":"
	    "\"B\"}]}",
	    "{\"defaultAction\":\"A\",\"syscalls\":[{\"name\":\"a\",\"action\":\"B\",\"includes\":{"
	    "\"minKernel\":\"five\"}}]}",
	    "{\"defaultAction\":\"A\",\"listenerPath\":\"/x\"}",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_buf struct buf b = BUF_INIT(1 << 16);

		CHECK(convert(bad[i], &b, NULL) < 0);
		CHECK_INT(b.len, 0);
	}
}

TEST_MAIN(T(conditions_are_decided), T(what_is_ambiguous_is_refused))
