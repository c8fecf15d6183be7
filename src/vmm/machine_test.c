/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "vmm/machine.h"

#include <errno.h>

static const struct machine plain = {
    .qemu = "/usr/bin/qemu-system-x86_64",
    .accel = "tcg",
    .kernel = "/kernel",
    .initrd = "/initrd",
    .acpi = true,
    .tsc_khz = 2600000,
    .memory_bytes = 256u << 20,
    .cpus = 1,
    .agent_fd = 3,
    .qmp_fd = 4,
    .text_fd = 5,
};

/* The word behind the first `name`, from word i on. */
static const char *value(const struct strs *v, const char *name, const char *part)
{
	for (size_t i = 0; i + 1 < v->n; i++)
		if (!strcmp(v->v[i], name) && (!part || strstr(v->v[i + 1], part)))
			return v->v[i + 1];
	return "";
}

TEST(a_stock_kernel_under_tcg)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs v = {0};

	CHECK_INT(machine_args(&plain, &a, &v, NULL), 0);
	CHECK_STR(v.v[0], "/usr/bin/qemu-system-x86_64");
	CHECK_STR(value(&v, "-M", NULL), "microvm,acpi=on");
	CHECK_STR(value(&v, "-accel", NULL), "tcg,tb-size=32");
	CHECK_STR(value(&v, "-m", NULL), "256M");
	CHECK(strstr(value(&v, "-append", NULL), "tsc_early_khz=2600000 tsc=reliable"));
	CHECK(!strstr(value(&v, "-append", NULL), "nolapic_timer"));
	CHECK(strstr(value(&v, "-sandbox", NULL), "spawn=deny"));
	CHECK_STR(value(&v, "-chardev", "id=agent"), "socket,id=agent,fd=3");
	CHECK_STR(value(&v, "-object", NULL), "");
	CHECK(!v.v[v.n]);
}

TEST(huge_pages_are_taken_at_once)
{
	auto_arena struct arena a = ARENA_INIT;
	struct machine m = plain;
	struct strs v = {0};

	m.hugepages = true;
	CHECK_INT(machine_args(&m, &a, &v, NULL), 0);
	CHECK_STR(value(&v, "-object", NULL),
		  "memory-backend-memfd,id=mem,size=256M,share=off,hugetlb=on,hugetlbsize=2M,"
		  "prealloc=on");
	CHECK_STR(value(&v, "-M", NULL), "microvm,acpi=on,memory-backend=mem");
}

TEST(a_machine_that_goes_on_boots_nothing)
{
	auto_arena struct arena a = ARENA_INIT;
	struct machine m = plain;
	struct strs v = {0}, made = {0};

	m.memory_fd = 9;
	CHECK_INT(machine_args(&m, &a, &made, NULL), 0);
	CHECK_STR(value(&made, "-object", NULL),
		  "memory-backend-file,id=mem,size=256M,mem-path=/guestmem/9,share=on");
	CHECK_STR(value(&made, "-kernel", NULL), "/kernel");
	m.incoming = m.memory_zero = true;
	CHECK_INT(machine_args(&m, &a, &v, NULL), 0);
	CHECK_STR(value(&v, "-object", NULL),
		  "memory-backend-file,id=mem,size=256M,mem-path=/guestmem/zero/9,share=on");
	CHECK_STR(value(&v, "-incoming", NULL), "defer");
	CHECK_STR(value(&v, "-kernel", NULL), "");
	CHECK_STR(value(&v, "-append", NULL), "");
}

TEST(an_empty_place_is_a_device_without_anything_behind_it)
{
	auto_arena struct arena a = ARENA_INIT;
	static const struct machine_disk disk = {.serial = "image", .readonly = true};
	static const struct machine_nic nic = {.mac = "02:ca:15:50:6e:00"};
	struct machine m = plain;
	struct strs v = {0};

	m.disks = &disk;
	m.nics = &nic;
	m.disk_count = m.nic_count = 1;
	CHECK_INT(machine_args(&m, &a, &v, NULL), 0);
	CHECK_STR(value(&v, "-drive", NULL), "if=none,id=disk0,driver=null-co,size=1M,readonly=on");
	CHECK_STR(value(&v, "-device", "virtio-net"), "virtio-net-device,mac=02:ca:15:50:6e:00");
	CHECK_STR(value(&v, "-netdev", NULL), "");
}

TEST(a_disk_that_is_named)
{
	auto_arena struct arena a = ARENA_INIT;
	static const struct machine_disk disk = {.serial = "image",
						 .format = "raw",
						 .path = "/guestmem/disk/7.512",
						 .fd = 7,
						 .readonly = true};
	struct machine m = plain;
	struct strs v = {0};

	m.disks = &disk;
	m.disk_count = 1;
	CHECK_INT(machine_args(&m, &a, &v, NULL), 0);
	CHECK_STR(value(&v, "-drive", NULL),
		  "if=none,id=disk0,format=raw,file=/guestmem/disk/7.512,readonly=on");
	CHECK_STR(value(&v, "-add-fd", NULL), "");
}

TEST(kvm_is_not_told_the_clock)
{
	auto_arena struct arena a = ARENA_INIT;
	struct machine m = plain;
	struct strs v = {0};

	m.accel = "kvm";
	CHECK_INT(machine_args(&m, &a, &v, NULL), 0);
	CHECK_STR(value(&v, "-cpu", NULL), "host");
	CHECK(!strstr(value(&v, "-append", NULL), "noreplace-smp"));
	CHECK(!strstr(value(&v, "-append", NULL), "tsc_early_khz"));
}

TEST(disks_nics_and_shares)
{
	static const int extents[] = {6, 7};
	const struct machine_disk disks[] = {
	    {.serial = "image",
	     .format = "vmdk",
	     .fd = 8,
	     .extents = extents,
	     .extent_count = 2,
	     .readonly = true},
	    {.serial = "rw", .format = "raw", .fd = 9},
	};
	const struct machine_nic nics[] = {{10, "02:42:0a:00:00:02"}};
	const struct machine_share shares[] = {{11, "share0"}};
	auto_arena struct arena a = ARENA_INIT;
	struct machine m = plain;
	struct strs v = {0};

	m.disks = disks;
	m.disk_count = 2;
	m.nics = nics;
	m.nic_count = 1;
	m.shares = shares;
	m.share_count = 1;
	CHECK_INT(machine_args(&m, &a, &v, NULL), 0);
	CHECK_STR(value(&v, "-add-fd", "=8"), "fd=8,set=8");
	CHECK_STR(value(&v, "-add-fd", "=6"), "fd=6,set=6");
	CHECK_STR(value(&v, "-drive", "disk0"),
		  "if=none,id=disk0,format=vmdk,file=/dev/fdset/8,readonly=on");
	CHECK(!strstr(value(&v, "-drive", "disk1"), "readonly"));
	CHECK_STR(value(&v, "-device", "net0"),
		  "virtio-net-device,netdev=net0,mac=02:42:0a:00:00:02");
	/* vhost-user needs memory that another process can map; nothing else does. */
	CHECK(strstr(value(&v, "-M", NULL), "memory-backend=mem"));
	CHECK(strstr(value(&v, "-object", NULL), "share=on"));
}

TEST(refuses_too_little_memory_and_too_many_devices)
{
	auto_arena struct arena a = ARENA_INIT;
	struct machine_nic nics[MACHINE_SLOTS_ACPI] = {{0}};
	struct machine m = plain;
	struct strs v = {0};
	struct err e = ERR_INIT;

	m.memory_bytes = 64u << 20;
	CHECK_INT(machine_args(&m, &a, &v, &e), -EINVAL);
	CHECK(strstr(e.msg, "at least 96 MiB"));
	m = plain;
	m.nics = nics;
	m.nic_count = MACHINE_SLOTS_ACPI;
	CHECK_INT(machine_args(&m, &a, &v, &e), -EOVERFLOW);
}

TEST_MAIN(T(a_stock_kernel_under_tcg), T(a_machine_that_goes_on_boots_nothing),
	  T(an_empty_place_is_a_device_without_anything_behind_it), T(a_disk_that_is_named),
	  T(kvm_is_not_told_the_clock), T(huge_pages_are_taken_at_once), T(disks_nics_and_shares),
	  T(refuses_too_little_memory_and_too_many_devices))
