/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/machine.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct words {
	struct arena *a;
	struct strs *argv;
};

static void word(struct words *w, const char *s)
{
	arena_strs_add(w->a, w->argv, s);
}

__attribute__((format(printf, 3, 4))) static void option(struct words *w, const char *name,
							 const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	word(w, name);
	word(w, arena_dup(w->a, text));
	free(text);
}

/* Every word was measured; docs/decisions/0007-how-a-vm-boots.md has the times.  init_on_free=0: a
 * page that a clone gave back is the template's when it comes again, not zero. */
static void kernel_line(struct words *w, const struct machine *m)
{
	auto_buf struct buf b = BUF_INIT(4096);

	/* quiet: the emulated UART costs 0.8 s of a boot.  reboot=t: triple fault, which -no-reboot
	 * turns into the end of QEMU. */
	buf_puts(&b, "console=ttyS0 quiet reboot=t panic=-1 audit=0 random.trust_cpu=on "
		     "cryptomgr.notests lsm= no_timer_check init_on_free=0");
	if (streq(m->accel, "tcg")) {
		/* With ACPI there is no PIT to calibrate by: on a loaded host the kernel hangs in
		 * calibration unless it is told.  An emulated TSC is the host's.  noreplace-smp:
		 * patching thousands of locks flushes the translator's TLB each time. */
		if (m->tsc_khz)
			buf_printf(&b, " tsc_early_khz=%" PRIu64 " tsc=reliable", m->tsc_khz);
		buf_puts(&b, " noreplace-smp");
	}
	option(w, "-append", "%s", b.p);
}

static void memory(struct words *w, const struct machine *m)
{
	uint64_t mib = m->memory_bytes >> 20;

	option(w, "-m", "%" PRIu64 "M", mib);
	if (m->share_count || m->hugepages)
		option(w, "-object", "memory-backend-memfd,id=mem,size=%" PRIu64 "M,share=%s%s",
		       mib, m->share_count ? "on" : "off",
		       m->hugepages ? ",hugetlb=on,hugetlbsize=2M,prealloc=on" : "");
	else if (m->memory_fd)
		option(w, "-object",
		       "memory-backend-file,id=mem,size=%" PRIu64
		       "M,mem-path=/guestmem/%s%d,share=on",
		       mib, m->memory_zero ? "zero/" : "", m->memory_fd);
	if (m->incoming)
		option(w, "-incoming", "defer");
}

static void board(struct words *w, const struct machine *m)
{
	option(w, "-M", "microvm,acpi=%s%s", m->acpi ? "on" : "off",
	       m->share_count || m->memory_fd || m->hugepages ? ",memory-backend=mem" : "");
	if (streq(m->accel, "tcg")) {
		/* 32 MiB of translated code: as fast as more, and it bounds what QEMU grows to. */
		option(w, "-accel", "tcg,tb-size=32");
		option(w, "-cpu", "max");
	} else {
		option(w, "-accel", "kvm");
		option(w, "-cpu", "host");
	}
	option(w, "-smp", "%u", m->cpus);
	memory(w, m);
	word(w, "-nodefaults");
	word(w, "-no-user-config");
	option(w, "-display", "none");
	word(w, "-no-reboot");
	/* Threads are known by name: vmpin.h. */
	option(w, "-name", "vm,debug-threads=on");
	option(w, "-global", "virtio-mmio.force-legacy=false");
	option(w, "-sandbox",
	       "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

static void channels(struct words *w, const struct machine *m)
{
	option(w, "-chardev", "socket,id=agent,fd=%d", m->agent_fd);
	option(w, "-device", "virtio-serial-device,max_ports=2");
	option(w, "-device", "virtserialport,chardev=agent,name=caisson");
	option(w, "-chardev", "socket,id=qmp,fd=%d", m->qmp_fd);
	option(w, "-mon", "chardev=qmp,mode=control");
	option(w, "-chardev", "socket,id=text,fd=%d", m->text_fd);
	option(w, "-serial", "chardev:text");
	option(w, "-device", "virtio-rng-device");
	option(w, "-device", "virtio-balloon-device,free-page-reporting=on,deflate-on-oom=on");
}

static void disk(struct words *w, const struct machine_disk *d, size_t n)
{
	if (!d->fd) {
		option(w, "-drive", "if=none,id=disk%zu,driver=null-co,size=1M%s", n,
		       d->readonly ? ",readonly=on" : "");
		option(w, "-device", "virtio-blk-device,drive=disk%zu,serial=%s", n, d->serial);
		return;
	}
	if (d->path) {
		option(w, "-drive", "if=none,id=disk%zu,format=raw,file=%s,readonly=on", n,
		       d->path);
		option(w, "-device", "virtio-blk-device,drive=disk%zu,serial=%s", n, d->serial);
		return;
	}
	/* The set's number is the descriptor's, which the extents in a VMDK text use too. */
	option(w, "-add-fd", "fd=%d,set=%d", d->fd, d->fd);
	for (size_t i = 0; i < d->extent_count; i++)
		option(w, "-add-fd", "fd=%d,set=%d", d->extents[i], d->extents[i]);
	option(w, "-drive", "if=none,id=disk%zu,format=%s,file=/dev/fdset/%d%s", n, d->format,
	       d->fd, d->readonly ? ",readonly=on" : ",auto-read-only=off,discard=unmap");
	option(w, "-device", "virtio-blk-device,drive=disk%zu,serial=%s", n, d->serial);
}

static void nic(struct words *w, const struct machine_nic *n, size_t i)
{
	if (!n->fd) {
		option(w, "-device", "virtio-net-device,mac=%s", n->mac);
		return;
	}
	option(w, "-netdev", "tap,id=net%zu,fd=%d", i, n->fd);
	option(w, "-device", "virtio-net-device,netdev=net%zu,mac=%s", i, n->mac);
}

int machine_args(const struct machine *m, struct arena *a, struct strs *argv, struct err *e)
{
	struct words w = {a, argv};
	size_t slots = m->acpi ? MACHINE_SLOTS_ACPI : MACHINE_SLOTS;
	size_t need = 3 + m->disk_count + m->nic_count + m->share_count;

	if (m->memory_bytes < MACHINE_MEMORY_MIN)
		return err_set(e, ERR_USAGE,
			       "a virtual machine needs at least %llu MiB of memory, not %" PRIu64,
			       MACHINE_MEMORY_MIN >> 20, m->memory_bytes >> 20);
	if (need > slots)
		return err_set(e, ERR_LIMIT,
			       "the virtual machine needs %zu devices and has room for %zu; use "
			       "fewer volumes or networks",
			       need, slots);
	word(&w, m->qemu);
	board(&w, m);
	channels(&w, m);
	for (size_t i = 0; i < m->disk_count; i++)
		disk(&w, &m->disks[i], i);
	for (size_t i = 0; i < m->nic_count; i++)
		nic(&w, &m->nics[i], i);
	for (size_t i = 0; i < m->share_count; i++) {
		option(&w, "-chardev", "socket,id=fs%zu,fd=%d", i, m->shares[i].fd);
		option(&w, "-device", "vhost-user-fs-device,chardev=fs%zu,tag=%s", i,
		       m->shares[i].tag);
	}
	/* They were loaded before the machine was frozen; once more would be private memory. */
	if (m->incoming)
		return 0;
	option(&w, "-kernel", "%s", m->kernel);
	option(&w, "-initrd", "%s", m->initrd);
	kernel_line(&w, m);
	return 0;
}
