/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bareqemu - plain QEMU as reference: the kernel that our VMs run, the memory and the machine they
 * have, our program as its process 1, commands by its first serial line.  No monitor, no agent, no
 * disk, no network: what is left is what QEMU and the kernel cost.
 */
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "engine/session.h"
#include "fmt/json.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRAM_MAX (16u << 20)

/* newc: Documentation/driver-api/early-userspace/buffer-format.rst. */
static void entry(struct buf *out, const char *name, unsigned int mode, const char *data,
		  size_t len)
{
	bool device = (mode & S_IFMT) == S_IFCHR;
	unsigned int v[13] = {1,
			      mode,
			      0,
			      0,
			      1,
			      0,
			      (unsigned int)len,
			      0,
			      0,
			      device ? 5 : 0,
			      device ? 1 : 0,
			      (unsigned int)strlen(name) + 1,
			      0};

	buf_puts(out, "070701");
	for (int i = 0; i < 13; i++)
		buf_printf(out, "%08x", v[i]);
	buf_add(out, name, strlen(name) + 1);
	while (out->len % 4)
		buf_add(out, "", 1);
	if (len)
		buf_add(out, data, len);
	while (out->len % 4)
		buf_add(out, "", 1);
}

static int initrd(struct compare *c, const char *file, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(PROGRAM_MAX + 4096);
	auto_fd int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	auto_free char *program = NULL;
	ssize_t n = file_read(AT_FDCWD, c->workload, PROGRAM_MAX, &program);
	int r;

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", c->workload);
	}
	entry(&b, "dev", S_IFDIR | 0755, NULL, 0);
	entry(&b, "proc", S_IFDIR | 0555, NULL, 0);
	entry(&b, "tmp", S_IFDIR | 0777, NULL, 0);
	entry(&b, "dev/console", S_IFCHR | 0600, NULL, 0);
	entry(&b, "init", S_IFREG | 0755, program, (size_t)n);
	entry(&b, "TRAILER!!!", 0, NULL, 0);
	r = buf_fail(&b, "initramfs", e);
	if (r == 0 && (fd < 0 || fd_write_all(fd, b.p, b.len) < 0))
		r = err_sys(e, "'%s'", file);
	return r;
}

/* What the engine found out about the host (vmm/probe.h). */
static void probe(struct compare *c)
{
	auto_free char *text = NULL;
	auto_json struct json *j = NULL;
	const char *kvm;
	ssize_t n = file_read(
	    AT_FDCWD, arena_printf(c->arena, "%s/cache/vm/probe.json", c->s->root), 1 << 16, &text);
	double khz = 0;

	c->qemu_kvm = false;
	if (n < 0 || json_parse(text, (size_t)n, "probe.json", &j, NULL) < 0)
		return;
	kvm = json_string(json_member(j, "kvm"));
	c->qemu_kvm = kvm && streq(kvm, "usable");
	if (json_number(json_member(j, "tscKhz"), &khz))
		c->tsc_khz = (uint64_t)khz;
}

int bareqemu_prepare(struct compare *c, struct err *e)
{
	const char *file = arena_printf(c->arena, "%s/initrd", c->dir);
	const char *path = "/usr/local/bin:/usr/bin:/bin";
	char qemu[4096];
	int r;

	for (char **v = c->s->environment; v && *v; v++)
		if (str_after(*v, "PATH="))
			path = *v + 5;
	if (child_find("qemu-system-x86_64", path, qemu, sizeof(qemu)) < 0)
		return err_set(e, ERR_NOT_FOUND, "qemu-system-x86_64 is not installed");
	r = c->kernel ? 0 : diskuse_kernel(c, e);
	if (r == 0)
		r = initrd(c, file, e);
	if (r < 0)
		return r;
	c->qemu = arena_dup(c->arena, qemu);
	c->initrd = file;
	return 0;
}

struct strs bareqemu_argv(struct compare *c, const char *what)
{
	struct strs v = {0};

	probe(c);
	{
		const char *append = arena_printf(
		    c->arena,
		    "console=ttyS0 quiet loglevel=0 reboot=t panic=-1 audit=0 random.trust_cpu=on "
		    "cryptomgr.notests no_timer_check init_on_free=0%s -- qemu %s",
		    !c->qemu_kvm && c->tsc_khz
			? arena_printf(c->arena,
				       " tsc_early_khz=%" PRIu64 " tsc=reliable noreplace-smp",
				       c->tsc_khz)
			: "",
		    what);
		const char *words[] = {c->qemu,
				       "-M",
				       c->kernel_acpi ? "microvm,acpi=on" : "microvm,acpi=off",
				       "-accel",
				       c->qemu_kvm ? "kvm" : "tcg,tb-size=32",
				       "-cpu",
				       c->qemu_kvm ? "host" : "max",
				       "-smp",
				       "1",
				       "-m",
				       "256M",
				       "-nodefaults",
				       "-no-user-config",
				       "-display",
				       "none",
				       "-no-reboot",
				       "-chardev",
				       "stdio,id=console,signal=off",
				       "-serial",
				       "chardev:console",
				       "-kernel",
				       arena_printf(c->arena, "%s/vmlinux", c->kernel),
				       "-initrd",
				       c->initrd,
				       "-append",
				       append,
				       NULL};

		subject_add(c, &v, words);
	}
	return v;
}
