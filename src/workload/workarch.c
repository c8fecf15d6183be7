/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/workarch.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE 0x10000000u
#define CODE 24

/* exit(42), and no byte more. */
static const struct arch {
	const char *name;
	uint16_t machine;
	bool wide; /* a 64-bit file */
	uint32_t flags;
	uint8_t code[CODE];
} all[] = {
    {"amd64", EM_X86_64, true, 0, {0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05}},
    {"386", EM_386, false, 0, {0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80}},
    {"arm64",
     EM_AARCH64,
     true,
     0,
     {0x40, 0x05, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}},
    {"arm",
     EM_ARM,
     false,
     EF_ARM_EABI_VER5,
     {0x2a, 0x00, 0xa0, 0xe3, 0x01, 0x70, 0xa0, 0xe3, 0x00, 0x00, 0x00, 0xef}},
    {"riscv64",
     EM_RISCV,
     true,
     0,
     {0x13, 0x05, 0xa0, 0x02, 0x93, 0x08, 0xd0, 0x05, 0x73, 0x00, 0x00, 0x00}},
    {"ppc64le",
     EM_PPC64,
     true,
     2,
     {0x01, 0x00, 0x00, 0x38, 0x2a, 0x00, 0x60, 0x38, 0x02, 0x00, 0x00, 0x44}},
};

static size_t wide_file(const struct arch *a, uint8_t *out)
{
	Elf64_Ehdr h = {.e_type = ET_EXEC,
			.e_machine = a->machine,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(h),
			.e_flags = a->flags,
			.e_ehsize = sizeof(h),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1};
	Elf64_Phdr p = {
	    .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_align = 65536};
	size_t at = sizeof(h) + sizeof(p), size = at + CODE;

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	h.e_ident[EI_VERSION] = EV_CURRENT;
	h.e_entry = BASE + at;
	p.p_filesz = p.p_memsz = size;
	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), &p, sizeof(p));
	memcpy(out + at, a->code, CODE);
	return size;
}

static size_t narrow_file(const struct arch *a, uint8_t *out)
{
	Elf32_Ehdr h = {.e_type = ET_EXEC,
			.e_machine = a->machine,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(h),
			.e_flags = a->flags,
			.e_ehsize = sizeof(h),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 1};
	Elf32_Phdr p = {
	    .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = BASE, .p_align = 65536};
	size_t at = sizeof(h) + sizeof(p), size = at + CODE;

	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS32;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	h.e_ident[EI_VERSION] = EV_CURRENT;
	h.e_entry = (Elf32_Addr)(BASE + at);
	p.p_filesz = p.p_memsz = (Elf32_Word)size;
	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), &p, sizeof(p));
	memcpy(out + at, a->code, CODE);
	return size;
}

static bool runs(const struct arch *a)
{
	uint8_t file[256] = {0};
	size_t size = a->wide ? wide_file(a, file) : narrow_file(a, file);
	char path[32], *argv[] = {path, NULL};
	int fd = memfd_create("arch", 0); /* no MFD_CLOEXEC: */
	int status = 0, ro = -1;	  /* an emulator opens it by that name after execve() */
	pid_t pid = -1;

	if (fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, file, size) == (ssize_t)size)
		ro = open(path, O_RDONLY); /* no O_CLOEXEC, as above */
	/* While anybody may write to it, the kernel says that the text is busy. */
	close(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ro);
	if (ro >= 0)
		pid = fork();
	if (pid == 0) {
		execv(path, argv);
		_exit(127);
	}
	if (ro >= 0)
		close(ro);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 42;
}

void workarch_names(char *out, size_t size)
{
	size_t len = 0;

	*out = '\0';
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (runs(&all[i]) && len < size)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? " " : "",
						all[i].name);
}
