/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "vmm/machine.h"
#include "vmm/vmtemplate.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES "/bin/sh"

static const struct vmtemplate_parts parts = {FILES, FILES, FILES};

static struct machine plain(void)
{
	static const struct machine_disk disks[] = {
	    {.serial = "image", .format = "vmdk", .fd = 7, .readonly = true}};
	static const struct machine_nic nics[] = {{.fd = 8, .mac = "02:42:ac:1e:00:02"}};

	return (struct machine){.qemu = FILES,
				.accel = "tcg",
				.kernel = "/kernel",
				.initrd = "/initrd",
				.acpi = true,
				.tsc_khz = 2600000,
				.memory_bytes = 256u << 20,
				.cpus = 1,
				.disks = disks,
				.disk_count = 1,
				.nics = nics,
				.nic_count = 1};
}

TEST(a_template_has_places_and_nothing_of_anybodys)
{
	auto_arena struct arena a = ARENA_INIT;
	struct machine m = plain(), out;
	struct strs words = {0};
	char key[VMTEMPLATE_KEY], again[VMTEMPLATE_KEY];
	bool place = false;

	CHECK_INT(vmtemplate_describe(&m, &parts, &a, &out, key, NULL), 0);
	CHECK_INT(machine_args(&out, &a, &words, NULL), 0);
	for (size_t i = 0; i < words.n; i++) {
		CHECK(!strstr(words.v[i], "02:42:ac"));
		CHECK(!strstr(words.v[i], "tap"));
		place = place || strstr(words.v[i], "null-co");
	}
	CHECK(place);
	/* Another address is the same template; another size is not. */
	m.nics = &(struct machine_nic){.fd = 9, .mac = "02:42:ac:1e:00:03"};
	CHECK_INT(vmtemplate_describe(&m, &parts, &a, &out, again, NULL), 0);
	CHECK_STR(again, key);
	m.memory_bytes = 128u << 20;
	CHECK_INT(vmtemplate_describe(&m, &parts, &a, &out, again, NULL), 0);
	CHECK(strcmp(again, key) != 0);
	m = plain();
	m.tsc_khz++;
	CHECK_INT(vmtemplate_describe(&m, &parts, &a, &out, again, NULL), 0);
	CHECK(strcmp(again, key) != 0);
}

TEST(shared_directories_have_none)
{
	auto_arena struct arena a = ARENA_INIT;
	struct machine m = plain(), out;
	struct err e = ERR_INIT;
	char key[VMTEMPLATE_KEY];

	m.share_count = 1;
	CHECK(vmtemplate_describe(&m, &parts, &a, &out, key, &e) < 0);
	CHECK_INT(e.kind, ERR_UNSUPPORTED);
}

static int wipe_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	return remove(path);
}

static void wipe(const char *dir)
{
	nftw(dir, wipe_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int make(const char *dir, const char *key)
{
	struct vmtemplate t;
	int r = vmtemplate_open(dir, key, 4096, &t, NULL);

	if (r == 0 && (t.state != VMTEMPLATE_EMPTY || write(t.state_fd, "x", 1) != 1))
		r = -1;
	if (r == 0)
		r = vmtemplate_publish(&t, NULL);
	vmtemplate_close(&t);
	return r;
}

TEST(one_makes_it_and_all_find_it)
{
	char dir[] = "/tmp/caisson-vmtemplate-XXXXXX";
	struct vmtemplate t, other;
	struct err e = ERR_INIT;

	CHECK(mkdtemp(dir));
	CHECK_INT(vmtemplate_open(dir, "0123456789abcdef0123456789abcdef", 4096, &t, NULL), 0);
	CHECK_INT(t.state, VMTEMPLATE_EMPTY);
	CHECK_INT(vmtemplate_open(dir, "0123456789abcdef0123456789abcdef", 4096, &other, NULL), 0);
	CHECK_INT(other.state, VMTEMPLATE_NONE);
	vmtemplate_close(&other);
	/* Nothing was written: not a template. */
	CHECK(vmtemplate_publish(&t, &e) < 0);
	vmtemplate_discard(&t, NULL);
	vmtemplate_close(&t);
	CHECK_INT(make(dir, "0123456789abcdef0123456789abcdef"), 0);
	CHECK_INT(vmtemplate_open(dir, "0123456789abcdef0123456789abcdef", 4096, &t, NULL), 0);
	CHECK_INT(t.state, VMTEMPLATE_READY);
	/* What a clone gets is for reading. */
	CHECK_INT(fcntl(t.memory_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	vmtemplate_discard(&t, "it did not wake");
	vmtemplate_close(&t);
	CHECK_INT(vmtemplate_open(dir, "0123456789abcdef0123456789abcdef", 4096, &t, NULL), 0);
	CHECK_INT(t.state, VMTEMPLATE_NONE);
	vmtemplate_close(&t);
	wipe(dir);
}

TEST(a_few_are_kept)
{
	char dir[] = "/tmp/caisson-vmtemplate-XXXXXX", key[VMTEMPLATE_KEY], path[128];
	int have = 0;

	CHECK(mkdtemp(dir));
	for (int i = 0; i < VMTEMPLATE_MAX + 3; i++) {
		snprintf(key, sizeof(key), "%032x", i);
		CHECK_INT(make(dir, key), 0);
	}
	for (int i = 0; i < VMTEMPLATE_MAX + 3; i++) {
		snprintf(path, sizeof(path), "%s/%032x", dir, i);
		have += access(path, F_OK) == 0;
	}
	CHECK_INT(have, VMTEMPLATE_MAX);
	CHECK_INT(access(path, F_OK), 0); /* the last one is among them */
	wipe(dir);
}

TEST_MAIN(T(a_template_has_places_and_nothing_of_anybodys), T(shared_directories_have_none),
	  T(one_makes_it_and_all_find_it), T(a_few_are_kept))
