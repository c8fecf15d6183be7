/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/guest_kernel.h"

#include <elf.h>
#include <string.h>

struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p[2];
	Elf64_Nhdr n;
	char name[4];
	uint32_t entry;
};

static struct image whole(void)
{
	struct image i = {
	    .h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		  .e_type = ET_EXEC,
		  .e_machine = EM_X86_64,
		  .e_phoff = offsetof(struct image, p),
		  .e_phentsize = sizeof(Elf64_Phdr),
		  .e_phnum = 2},
	    .p = {{.p_type = PT_LOAD, .p_filesz = sizeof(struct image)},
		  {.p_type = PT_NOTE,
		   .p_offset = offsetof(struct image, n),
		   .p_filesz = sizeof(struct image) - offsetof(struct image, n)}},
	    .n = {.n_namesz = 4, .n_descsz = 4, .n_type = 18},
	    .name = "Xen",
	};

	return i;
}

static int kind(const struct image *i, size_t len)
{
	struct err e = ERR_INIT;

	return guest_kernel_elf(i, len, "k", &e) < 0 ? (int)e.kind : 0;
}

TEST(a_kernel_with_a_pvh_entry)
{
	struct image i = whole();

	CHECK_INT(kind(&i, sizeof(i)), 0);
	i.n.n_type = 17;
	CHECK_INT(kind(&i, sizeof(i)), ERR_UNSUPPORTED);
	i.n.n_namesz = UINT32_MAX;
	CHECK_INT(kind(&i, sizeof(i)), ERR_UNSUPPORTED);
}

TEST(another_machine_and_what_is_no_kernel)
{
	struct image i = whole();
	struct err e = ERR_INIT;

	i.h.e_machine = EM_AARCH64;
	CHECK_INT(kind(&i, sizeof(i)), ERR_UNSUPPORTED);
	i = whole();
	i.h.e_ident[EI_CLASS] = ELFCLASS32;
	CHECK_INT(kind(&i, sizeof(i)), ERR_UNSUPPORTED);
	i = whole();
	i.h.e_type = ET_REL;
	CHECK_INT(kind(&i, sizeof(i)), ERR_UNSUPPORTED);
	CHECK(guest_kernel_elf("MZ", 2, "bzImage", &e) < 0);
	CHECK_STR(e.msg, "bzImage: not an ELF kernel (vmlinux); a compressed image is unpacked by "
			 "tools/kernel-fetch");
	CHECK(guest_kernel_elf("", 0, "k", NULL) < 0);
}

TEST(a_part_of_a_kernel_is_none)
{
	struct image i = whole();

	for (size_t len = sizeof(i.h); len < sizeof(i); len++)
		CHECK_INT(kind(&i, len), ERR_CORRUPT);
	i.h.e_phoff = UINT64_MAX;
	CHECK_INT(kind(&i, sizeof(i)), ERR_CORRUPT);
	i = whole();
	i.p[0].p_offset = UINT64_MAX - 1;
	CHECK_INT(kind(&i, sizeof(i)), ERR_CORRUPT);
}

TEST(names_and_descriptions)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(4096);
	struct guest_kernel_info in = {
	    .format = 1, .version = "6.1-x", .package = "built", .sha256 = "00", .acpi = true};
	struct guest_kernel_info out;

	guest_kernel_write(&in, &b);
	CHECK_INT(guest_kernel_parse(b.p, b.len, &a, "f", &out, NULL), 0);
	CHECK_STR(out.version, "6.1-x");
	CHECK(out.acpi);
	CHECK(guest_kernel_parse("{}", 2, &a, "f", &out, NULL) < 0);
	CHECK(guest_kernel_name_ok("6.1.0-56-cloud-amd64"));
	CHECK(!guest_kernel_name_ok("../x"));
	CHECK(!guest_kernel_name_ok(".x"));
	CHECK(!guest_kernel_name_ok("default"));
	CHECK(!guest_kernel_name_ok(""));
}

TEST_MAIN(T(a_kernel_with_a_pvh_entry), T(another_machine_and_what_is_no_kernel),
	  T(a_part_of_a_kernel_is_none), T(names_and_descriptions))
