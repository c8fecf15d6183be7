/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/test.h"
#include "vmm/machine.h"
#include "vmm/vmsnapshot.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct machine plain = {
    .qemu = "/usr/bin/qemu-system-x86_64",
    .accel = "tcg",
    .kernel = "/kernel",
    .initrd = "/initrd",
    .acpi = true,
    .tsc_khz = 2600000,
    .memory_bytes = 256u << 20,
    .cpus = 1,
};

TEST(what_differs_is_named)
{
	auto_arena struct arena a = ARENA_INIT;
	struct vmsnapshot_tags x, y;
	struct machine m = plain;
	struct err e = ERR_INIT;

	CHECK_INT(vmsnapshot_describe(&plain, &a, &x, &e), 0);
	x.version = "7.2.22";
	m.qemu = "/opt/qemu";
	m.incoming = true;
	m.tsc_khz += 100;
	CHECK_INT(vmsnapshot_describe(&m, &a, &y, &e), 0);
	CHECK_INT(vmsnapshot_check(&x, &y, &e), 0);
	y.version = "8.0.0";
	CHECK_INT(vmsnapshot_check(&x, &y, &e), -EOPNOTSUPP);
	CHECK(strstr(e.msg, "7.2.22") && strstr(e.msg, "8.0.0"));
	y.version = NULL;
	y.cpus = 2;
	CHECK_INT(vmsnapshot_check(&x, &y, &e), -EOPNOTSUPP);
	CHECK(strstr(e.msg, "CPUs"));
	y = x;
	y.tsc_khz = 3000000;
	CHECK_INT(vmsnapshot_check(&x, &y, &e), -EOPNOTSUPP);
	CHECK(strstr(e.msg, "kHz"));
	m.acpi = false;
	CHECK_INT(vmsnapshot_describe(&m, &a, &y, &e), 0);
	CHECK_INT(vmsnapshot_check(&x, &y, &e), -EOPNOTSUPP);
	CHECK(strstr(e.msg, "devices"));
	y = x;
	y.vmm = "another";
	CHECK_INT(vmsnapshot_check(&x, &y, &e), -EOPNOTSUPP);
	CHECK(strstr(e.msg, "another"));
}

/* Our own process stands for QEMU: what it has changed of a private mapping, and nothing else. */
TEST(own_pages_are_copied)
{
	const size_t bytes = 37 << 12;
	auto_fd int base = memfd_create("base", MFD_CLOEXEC);
	auto_fd int to = memfd_create("to", MFD_CLOEXEC);
	struct err e = ERR_INIT;
	char c[4], *p;

	CHECK_INT(ftruncate(base, (off_t)bytes), 0);
	CHECK_INT(pwrite(base, "base", 4, 4096), 4);
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, base, 0);
	CHECK(p != MAP_FAILED);
	CHECK_INT(p[4096], 'b');
	memcpy(p + 3 * 4096, "mine", 4);
	memcpy(p + bytes - 4, "last", 4);
	CHECK_INT(ftruncate(to, (off_t)bytes), 0);
	CHECK_INT(pwrite(to, "kept", 4, 4096), 4);
	CHECK_INT(vmsnapshot_copy_memory(getpid(), bytes, to, &e), 0);
	CHECK_INT(pread(to, c, 4, 4096), 4);
	CHECK(!memcmp(c, "kept", 4));
	CHECK_INT(pread(to, c, 4, 3 * 4096), 4);
	CHECK(!memcmp(c, "mine", 4));
	CHECK_INT(pread(to, c, 4, (off_t)bytes - 4), 4);
	CHECK(!memcmp(c, "last", 4));
	CHECK_INT(vmsnapshot_copy_memory(getpid(), 1u << 30, to, &e), -EOPNOTSUPP);
	munmap(p, bytes);
}

TEST_MAIN(T(what_differs_is_named), T(own_pages_are_copied))
