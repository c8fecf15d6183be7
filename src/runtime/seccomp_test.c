/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/sha256.h"
#include "base/test.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_default.h"
#include "spec/plan.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define auto_program __attribute__((cleanup(seccomp_done)))

static int prepare(const char *json, const char *cache, struct arena *a, struct seccomp_program *sp,
		   struct err *e)
{
	struct plan *p;
	int r = plan_parse(json, strlen(json), "config.json", a, &p, e);

	return r < 0 ? r : seccomp_prepare(p, cache, sp, e);
}

#define BUILT_IN(caps)                                                                             \
	"{\"ociVersion\":\"1\",\"process\":{\"cwd\":\"/\",\"capabilities\":{\"bounding\":[" caps   \
	"]}},\"caisson\":{\"id\":\"x\",\"seccompProfile\":\"default\"}}"
#define PROFILE(text) "{\"ociVersion\":\"1\",\"linux\":{\"seccomp\":" text "}}"

static uint32_t ask(const struct seccomp_program *sp, uint32_t nr, uint64_t a0, uint64_t a1)
{
	const uint64_t args[6] = {a0, a1};

	return seccomp_answer(sp, AUDIT_ARCH_X86_64, nr, args);
}

#ifdef __x86_64__
TEST(the_default_profile_answers_every_entry)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_program struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
	struct err e = ERR_INIT;
	const uint64_t none[6] = {0}, one[6] = {1};
	const uint32_t eperm = SECCOMP_RET_ERRNO | EPERM, enosys = SECCOMP_RET_ERRNO | ENOSYS;

	CHECK_INT(prepare(BUILT_IN("\"CAP_CHOWN\""), NULL, &a, &sp, &e), 0);
	CHECK_INT(ask(&sp, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&sp, SYS_mount, 0, 0), eperm);
	CHECK_INT(ask(&sp, SYS_bpf, 0, 0), eperm);
	CHECK_INT(ask(&sp, SYS_keyctl, 0, 0), eperm);
	CHECK_INT(ask(&sp, SYS_userfaultfd, 0, 0), eperm);
	CHECK_INT(ask(&sp, 425 /* io_uring_setup */, 0, 0), eperm);
	CHECK_INT(ask(&sp, SYS_unshare, 0x10000000, 0), eperm);
	CHECK_INT(ask(&sp, SYS_clone, 0x10000000, 0), eperm);
	CHECK_INT(ask(&sp, SYS_clone, SIGCHLD, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&sp, SYS_clone3, 0, 0), enosys);
	CHECK_INT(ask(&sp, 2000, 0, 0), enosys);
	CHECK_INT(ask(&sp, SYS_personality, 0x0040000, 0), eperm);
	CHECK_INT(ask(&sp, SYS_personality, 0xffffffff, 0), SECCOMP_RET_ALLOW);
	/* The kernel reads an int: the high half must not hide the family or the request. */
	CHECK_INT(ask(&sp, SYS_socket, AF_INET, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&sp, SYS_socket, AF_VSOCK, 0), eperm);
	CHECK_INT(ask(&sp, SYS_socket, AF_ALG | 1ull << 32, 0), eperm);
	CHECK_INT(ask(&sp, SYS_ioctl, 0, TIOCSTI), eperm);
	CHECK_INT(ask(&sp, SYS_ioctl, 0, TIOCSTI | 1ull << 40), eperm);
	CHECK_INT(ask(&sp, SYS_ioctl, 0, TIOCGWINSZ), SECCOMP_RET_ALLOW);
	/* x32: the same calls by other numbers; 514 is its ioctl, 41 its socket. */
	CHECK_INT(ask(&sp, 0x40000000 | 514, 0, TIOCSTI), eperm);
	CHECK_INT(ask(&sp, 0x40000000 | 41, AF_ALG, 0), eperm);
	CHECK_INT(ask(&sp, 0x40000000 | 165 /* mount */, 0, 0), eperm);
	/* i386: socketcall hides its arguments in memory; 359 is socket, 54 ioctl, 21 mount. */
	CHECK_INT(seccomp_answer(&sp, AUDIT_ARCH_I386, 102, one), enosys);
	CHECK_INT(seccomp_answer(&sp, AUDIT_ARCH_I386, 102, (uint64_t[6]){8 /* socketpair */}),
		  SECCOMP_RET_ALLOW);
	CHECK_INT(seccomp_answer(&sp, AUDIT_ARCH_I386, 359, (uint64_t[6]){AF_ALG}), eperm);
	CHECK_INT(seccomp_answer(&sp, AUDIT_ARCH_I386, 359, (uint64_t[6]){AF_UNIX}),
		  SECCOMP_RET_ALLOW);
	CHECK_INT(seccomp_answer(&sp, AUDIT_ARCH_I386, 54, (uint64_t[6]){0, TIOCSTI}), eperm);
	CHECK_INT(seccomp_answer(&sp, AUDIT_ARCH_I386, 21, none), eperm);
	/* Another machine's entry ends the thread. */
	CHECK_INT(seccomp_answer(&sp, AUDIT_ARCH_AARCH64, 0, none), SECCOMP_RET_KILL_THREAD);
}

TEST(capabilities_open_their_calls)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_program struct seccomp_program few = SECCOMP_PROGRAM_INIT,
					    admin = SECCOMP_PROGRAM_INIT;
	struct err e = ERR_INIT;
	unsigned int known = 0, n;

	CHECK_INT(prepare(BUILT_IN("\"CAP_CHOWN\""), NULL, &a, &few, &e), 0);
	CHECK_INT(prepare(BUILT_IN("\"CAP_SYS_ADMIN\",\"CAP_SYS_CHROOT\""), NULL, &a, &admin, &e),
		  0);
	CHECK_INT(ask(&admin, SYS_mount, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&admin, SYS_clone, 0x10000000, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&admin, SYS_chroot, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&admin, SYS_init_module, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	n = seccomp_count_allowed(&few, &known);
	CHECK(n > 250 && n < known - 60);
	CHECK(seccomp_count_allowed(&admin, NULL) > n);
}
#endif

/* What is given to other engines must mean the same, wherever a profile can say it. */
TEST(the_profile_as_json_answers_alike)
{
	static const uint64_t values[] = {0,	   1,	       2,
					  10,	   16,	       31,
					  38,	   39,	       40,
					  41,	   63,	       1ull << 31,
					  TIOCSTI, 0x541c,     TIOCSTI + 1,
					  0x541d,  0x10000000, 0x7e020000,
					  0x20008, 0xffffffff, AF_ALG | 1ull << 32};
	const size_t n = sizeof(values) / sizeof(values[0]);
	auto_arena struct arena a = ARENA_INIT;
	auto_program struct seccomp_program ours = SECCOMP_PROGRAM_INIT,
					    theirs = SECCOMP_PROGRAM_INIT;
	auto_buf struct buf b = BUF_INIT(1 << 20), plan = BUF_INIT(1 << 20);
	static const struct strs none;
	struct err e = ERR_INIT;

	seccomp_default_write(&none, &b);
	buf_printf(&plan, "{\"ociVersion\":\"1\",\"linux\":{\"seccomp\":%s}}", b.p);
	CHECK(!b.failed && !plan.failed);
	CHECK_INT(prepare(plan.p, NULL, &a, &theirs, &e), 0);
	CHECK_INT(prepare(BUILT_IN(""), NULL, &a, &ours, &e), 0);
	for (uint32_t nr = 0; nr < 600; nr++)
		for (size_t i = 0; i < n * n; i++) {
			const uint64_t args[6] = {values[i / n], values[i % n]};

			CHECK_INT(seccomp_answer(&theirs, AUDIT_ARCH_X86_64, nr, args),
				  seccomp_answer(&ours, AUDIT_ARCH_X86_64, nr, args));
			CHECK_INT(seccomp_answer(&theirs, AUDIT_ARCH_X86_64, nr | 0x40000000, args),
				  seccomp_answer(&ours, AUDIT_ARCH_X86_64, nr | 0x40000000, args));
			if (nr != 102)
				CHECK_INT(seccomp_answer(&theirs, AUDIT_ARCH_I386, nr, args),
					  seccomp_answer(&ours, AUDIT_ARCH_I386, nr, args));
		}
}

/* The cache's key holds only the version of the lists: a change without a new version would leave
 * old filters in force.  When this fails, raise SECCOMP_DEFAULT_VERSION and write the new sum. */
TEST(the_version_follows_the_lists)
{
	static const char *const caps[] = {"CAP_BPF",
					   "CAP_DAC_READ_SEARCH",
					   "CAP_PERFMON",
					   "CAP_SYS_ADMIN",
					   "CAP_SYS_BOOT",
					   "CAP_SYS_CHROOT",
					   "CAP_SYS_MODULE",
					   "CAP_SYS_NICE",
					   "CAP_SYS_PACCT",
					   "CAP_SYS_PTRACE",
					   "CAP_SYS_RAWIO",
					   "CAP_SYS_TIME",
					   "CAP_SYS_TTY_CONFIG",
					   "CAP_SYSLOG"};
	auto_arena struct arena a = ARENA_INIT;
	struct sha256 h;
	unsigned char sum[32];
	struct strs list = {0};
	char hex[9];

	sha256_init(&h);
	sha256_add(&h, SECCOMP_DEFAULT_VERSION, sizeof(SECCOMP_DEFAULT_VERSION));
	for (size_t i = 0; i <= sizeof(caps) / sizeof(caps[0]); i++) {
		auto_buf struct buf b = BUF_INIT(1 << 20);

		seccomp_default_write(&list, &b);
		sha256_add(&h, b.p, b.len);
		if (i < sizeof(caps) / sizeof(caps[0]))
			arena_strs_add(&a, &list, caps[i]);
	}
	for (unsigned int i = 0; i < seccomp_default_denied_n; i++) {
		const struct seccomp_denied *d = &seccomp_default_denied[i];
		char text[128];

		sha256_add(&h, text,
			   (size_t)snprintf(text, sizeof(text), "%s %d %u %u %d\n", d->name,
					    d->by_arg, d->arg, d->value, d->error));
	}
	sha256_done(&h, sum);
	snprintf(hex, sizeof(hex), "%02x%02x%02x%02x", sum[0], sum[1], sum[2], sum[3]);
	CHECK_STR(hex, "50d3ec46");
}

/* A child under the filter reports which of the calls failed, and how. */
TEST(the_kernel_takes_it_and_agrees)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_program struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
	struct err e = ERR_INIT;
	int status, listener;
	pid_t pid;

	CHECK_INT(prepare(BUILT_IN(""), NULL, &a, &sp, &e), 0);
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    seccomp_install(&sp, &listener, &e) < 0)
			_exit(1);
		if (listener != -1 || getpid() <= 0)
			_exit(2);
		if (syscall(SYS_unshare, 0x10000000) != -1 || errno != EPERM)
			_exit(3);
		if (socket(AF_ALG, SOCK_SEQPACKET, 0) != -1 || errno != EPERM)
			_exit(4);
		if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
			_exit(5);
		if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
			_exit(6);
#ifdef __x86_64__
		/* socketcall(SYS_SOCKET) by the 32-bit gate of a 64-bit process.  A kernel without
		 * that gate would end the process, hence the exit code of its own. */
		long r;

		__asm__ volatile("int $0x80"
				 : "=a"(r)
				 : "a"(102L), "b"(1L), "c"(0L)
				 : "memory", "r8", "r9", "r10", "r11");
		if (r != -ENOSYS)
			_exit(7);
#endif
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
}

TEST(a_profile_of_the_caller_is_followed)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_program struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
	struct err e = ERR_INIT;

	CHECK_INT(
	    prepare(
		PROFILE(
		    "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":["
		    "\"getcwd\",\"no_such_call\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7},"
		    "{\"names\":[\"dup\"],\"action\":\"SCMP_ACT_KILL_PROCESS\",\"args\":[{"
		    "\"index\":0,"
		    "\"value\":5,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":9,\"op\":\"SCMP_"
		    "CMP_EQ\"}]},"
		    "{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_LOG\"},"
		    "{\"names\":[\"chdir\"],\"action\":\"SCMP_ACT_TRAP\"}]}"),
		NULL, &a, &sp, &e),
	    0);
	CHECK_INT(ask(&sp, SYS_getcwd, 0, 0), SECCOMP_RET_ERRNO | 7);
	CHECK_INT(ask(&sp, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&sp, 2000, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&sp, SYS_dup, 5, 0), SECCOMP_RET_KILL_PROCESS);
	CHECK_INT(ask(&sp, SYS_dup, 9, 0), SECCOMP_RET_KILL_PROCESS);
	CHECK_INT(ask(&sp, SYS_dup, 6, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&sp, SYS_mkdir, 0, 0), SECCOMP_RET_LOG);
	CHECK_INT(ask(&sp, SYS_chdir, 0, 0) & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_TRAP);
}

TEST(a_listed_profile_hides_newer_calls)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_program struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
	struct err e = ERR_INIT;

	CHECK_INT(prepare(PROFILE("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":["
				  "\"read\",\"openat\"],\"action\":\"SCMP_ACT_ALLOW\"}]}"),
			  NULL, &a, &sp, &e),
		  0);
	CHECK_INT(ask(&sp, SYS_openat, 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(&sp, SYS_fchdir, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	CHECK_INT(ask(&sp, SYS_openat + 1, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
}

TEST(nonsense_is_named)
{
	static const struct {
		const char *json, *msg;
	} bad[] = {
	    {PROFILE("{\"defaultAction\":\"SCMP_ACT_MAYBE\"}"),
	     "linux.seccomp.defaultAction: unknown action 'SCMP_ACT_MAYBE'"},
	    {PROFILE(
		 "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_Z80\"]}"),
	     "linux.seccomp.architectures: unknown 'SCMP_ARCH_Z80'"},
	    {PROFILE("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}"),
	     "linux.seccomp.flags: unknown 'X'"},
	    {PROFILE("{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}"),
	     "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY would stop the runtime itself"},
	    {PROFILE("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":70000}"),
	     "linux.seccomp.defaultAction: errno 70000 is out of range"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_arena struct arena a = ARENA_INIT;
		struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
		struct err e = ERR_INIT;

		CHECK_INT(prepare(bad[i].json, NULL, &a, &sp, &e), -EINVAL);
		CHECK_STR(e.msg, bad[i].msg);
		CHECK(!sp.insns);
	}
}

/* The one file of a directory. */
static int open_only(const char *dir, int flags)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int fd = -1;

	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			fd = openat(dirfd(d), de->d_name, flags | O_CLOEXEC);
	if (d)
		closedir(d);
	return fd;
}

static void remove_dir(const char *dir)
{
	int parent = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	path_remove(parent, dir + strlen("/tmp/"));
	close(parent);
}

TEST(the_cache_gives_the_same_program_and_distrusts_others)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_program struct seccomp_program one = SECCOMP_PROGRAM_INIT, two = SECCOMP_PROGRAM_INIT,
					    three = SECCOMP_PROGRAM_INIT;
	char dir[] = "/tmp/seccomp_test.XXXXXX";
	struct err e = ERR_INIT;
	int fd;

	CHECK(mkdtemp(dir));
	CHECK_INT(prepare(BUILT_IN(""), dir, &a, &one, &e), 0);
	CHECK(!one.cached);
	CHECK_INT(prepare(BUILT_IN(""), dir, &a, &two, &e), 0);
	CHECK(two.cached);
	CHECK_INT(two.len, one.len);
	CHECK(!memcmp(one.insns, two.insns, one.len * sizeof(*one.insns)));
	/* One byte of an instruction changed, then a file that others may write: compiled anew. */
	fd = open_only(dir, O_WRONLY);
	CHECK_INT(pwrite(fd, "\xff", 1, 200), 1);
	CHECK_INT(prepare(BUILT_IN(""), dir, &a, &three, &e), 0);
	CHECK(!three.cached);
	seccomp_done(&three);
	close(fd);
	fd = open_only(dir, O_RDONLY);
	CHECK_INT(fchmod(fd, 0666), 0);
	close(fd);
	CHECK_INT(prepare(BUILT_IN(""), dir, &a, &three, &e), 0);
	CHECK(!three.cached);
	remove_dir(dir);
}

TEST_MAIN(
#ifdef __x86_64__
    T(the_default_profile_answers_every_entry), T(capabilities_open_their_calls),
    T(the_profile_as_json_answers_alike), T(the_version_follows_the_lists),
#endif
    T(the_kernel_takes_it_and_agrees), T(a_profile_of_the_caller_is_followed),
    T(a_listed_profile_hides_newer_calls), T(nonsense_is_named),
    T(the_cache_gives_the_same_program_and_distrusts_others))
