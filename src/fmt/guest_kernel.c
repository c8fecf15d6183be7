/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/guest_kernel.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/jbind.h"

#include <ctype.h>
#include <elf.h>
#include <string.h>

#define NOTE_PVH_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

#define M(m) JB(struct guest_kernel_modules, m, #m, JBIND_STRS)
static const struct jbind modules_table = {
    .size = sizeof(struct guest_kernel_modules),
    .fields = (const struct jbind_field[]){M(boot), M(late), M(net), M(share), JB_END},
};
#undef M
static const struct jbind info_table = {
    .size = sizeof(struct guest_kernel_info),
    .fields =
	(const struct jbind_field[]){
	    JB(struct guest_kernel_info, format, "format", JBIND_INT, .flags = JBIND_REQUIRED),
	    JB(struct guest_kernel_info, version, "version", JBIND_STR, .flags = JBIND_REQUIRED),
	    JB(struct guest_kernel_info, package, "package", JBIND_STR),
	    JB(struct guest_kernel_info, sha256, "sha256", JBIND_STR, .flags = JBIND_REQUIRED),
	    JB(struct guest_kernel_info, acpi, "acpi", JBIND_BOOL),
	    JB(struct guest_kernel_info, modules, "modules", JBIND_OBJ, .sub = &modules_table),
	    JB_END},
};

int guest_kernel_parse(const char *text, size_t len, struct arena *a, const char *path,
		       struct guest_kernel_info *out, struct err *e)
{
	struct guest_kernel_info info = {0};
	int r = jbind_parse(&info_table, text, len, &info, a, path, e);

	if (r < 0)
		return r;
	if (info.format != 1)
		return err_set(e, ERR_UNSUPPORTED, "%s: format %lld, expected 1", path,
			       (long long)info.format);
	*out = info;
	return 0;
}

void guest_kernel_write(const struct guest_kernel_info *info, struct buf *out)
{
	jbind_write(&info_table, info, out);
	buf_puts(out, "\n");
}

bool guest_kernel_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > GUEST_KERNEL_NAME_MAX || streq(name, "default"))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && (i == 0 || !strchr("._+~-", name[i])))
			return false;
	return true;
}

/* Is there a note of that type by "Xen" in data[0..len)? */
static bool has_pvh(const unsigned char *data, size_t len)
{
	while (len >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		size_t name, desc;

		memcpy(&n, data, sizeof(n));
		data += sizeof(n);
		len -= sizeof(n);
		if (n.n_namesz > len || n.n_descsz > len)
			return false;
		name = ((size_t)n.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)n.n_descsz + 3) & ~(size_t)3;
		if (n.n_type == NOTE_PVH_ENTRY && n.n_namesz == 4 && memcmp(data, "Xen", 4) == 0)
			return true;
		if (name + desc > len)
			return false;
		data += name + desc;
		len -= name + desc;
	}
	return false;
}

static int check_head(const Elf64_Ehdr *h, size_t len, const char *path, struct err *e)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "%s: not an ELF kernel (vmlinux); a compressed image is unpacked by "
			       "tools/kernel-fetch",
			       path);
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_machine != EM_X86_64)
		return err_set(e, ERR_UNSUPPORTED,
			       "%s: a kernel for another machine (ELF machine %u, class %u), this "
			       "host runs x86-64",
			       path, h->e_machine, h->e_ident[EI_CLASS]);
	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return err_set(e, ERR_UNSUPPORTED, "%s: ELF type %u is not a program", path,
			       h->e_type);
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum || h->e_phoff > len ||
	    (len - h->e_phoff) / sizeof(Elf64_Phdr) < h->e_phnum)
		return err_set(e, ERR_CORRUPT, "%s: the table of its parts is not whole", path);
	return 0;
}

int guest_kernel_elf(const void *data, size_t len, const char *path, struct err *e)
{
	const unsigned char *p = data;
	bool pvh = false;
	Elf64_Ehdr h = {0};
	int r;

	memcpy(&h, p, len < sizeof(h) ? len : sizeof(h));
	r = check_head(&h, len, path, e);
	for (size_t i = 0; r == 0 && i < h.e_phnum; i++) {
		Elf64_Phdr part;

		memcpy(&part, p + h.e_phoff + i * sizeof(part), sizeof(part));
		if (part.p_type != PT_LOAD && part.p_type != PT_NOTE)
			continue;
		if (part.p_offset > len || part.p_filesz > len - part.p_offset)
			return err_set(e, ERR_CORRUPT,
				       "%s: part %zu ends at byte %llu and the file at %zu", path,
				       i, (unsigned long long)(part.p_offset + part.p_filesz), len);
		if (part.p_type == PT_NOTE)
			pvh = pvh || has_pvh(p + part.p_offset, part.p_filesz);
	}
	if (r == 0 && !pvh)
		return err_set(e, ERR_UNSUPPORTED,
			       "%s: no PVH entry (CONFIG_PVH): QEMU cannot enter it directly",
			       path);
	return r;
}
