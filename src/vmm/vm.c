/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: vm_start() gathers what QEMU needs (descriptors and words), starts a
 * virtiofsd per share, then QEMU in its jail.  After that this file only watches: it never writes
 * to the agent's stream except in vm_stop(), where the caller has stopped using it.
 *
 * Invariants: 1. descriptors in .owned belong to the struct until QEMU has its copies, then they
 * are closed, so that the far ends of the sockets end with QEMU.  2. .pid is reaped exactly once.
 */
#include "vmm/vm.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"
#include "spec/trace.h"
#include "spec/wire.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "vmm/disk.h"
#include "vmm/guestplan.h"
#include "vmm/initramfs.h"
#include "vmm/kernel.h"
#include "vmm/machine.h"
#include "vmm/probe.h"
#include "vmm/qmp.h"
#include "vmm/share.h"
#include "vmm/vmjail.h"
#include "vmm/vmm_int.h"
#include "vmm/vmpin.h"

#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define SEED_BYTES 64
#define PLAN_MAX   (4u << 20)
#define BINDS	   3
/* ---- gathering ---- */

/* The number under which QEMU will see fd. */
static int give(struct vm *vm, int fd, bool borrowed)
{
	vm->owned[vm->owned_count] = fd;
	vm->borrowed[vm->owned_count] = borrowed;
	return VMJAIL_FD_FIRST + (int)vm->owned_count++;
}

static void close_given(struct vm *vm)
{
	for (size_t i = 0; i < vm->owned_count; i++)
		if (!vm->borrowed[i])
			fd_close(vm->owned[i]);
	vm->owned_count = 0;
}

static int channel(struct vm *vm, int *ours, int *theirs, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "virtual machine: socketpair");
	*ours = pair[0];
	*theirs = give(vm, pair[1], false);
	fd_set_nonblock(pair[0], 1);
	return 0;
}

static int image_disk(struct vm *vm, struct machine_disk *d, struct err *e)
{
	const struct strs *files = &vm->plan->caisson->rootfs.disk;
	struct disk_extent *extents = arena_array(&vm->arena, files->n, sizeof(*extents));
	int *numbers = arena_array(&vm->arena, files->n, sizeof(*numbers));
	int *fds = arena_array(&vm->arena, files->n, sizeof(*fds));
	uint64_t *bytes = arena_array(&vm->arena, files->n, sizeof(*bytes));
	auto_buf struct buf text = BUF_INIT(1u << 20);
	int r, fd;

	memset(fds, 0xff, files->n * sizeof(*fds));
	r = disk_open(files, fds, bytes, e);
	for (size_t i = 0; i < files->n; i++)
		if (fds[i] >= 0) {
			numbers[i] = give(vm, fds[i], false);
			extents[i] = (struct disk_extent){numbers[i], bytes[i]};
		}
	if (r < 0)
		return r;
	*d = (struct machine_disk){.serial = "image", .format = "raw", .readonly = true};
	if (files->n == 1) {
		d->fd = numbers[0];
		return 0;
	}
	if (vm->env) { /* guestmem.c, whose way does not keep the machine from being saved */
		buf_puts(&text, "/guestmem/disk/");
		for (size_t i = 0; i < files->n; i++)
			buf_printf(&text, "%s%d.%" PRIu64, i ? "+" : "", extents[i].fd,
				   extents[i].bytes);
		d->fd = numbers[0];
		d->path = arena_dup(&vm->arena, text.p);
		return buf_fail(&text, "image disk", e);
	}
	disk_vmdk(extents, files->n, &text);
	r = buf_fail(&text, "image disk", e);
	if (r < 0)
		return r;
	fd = disk_text(&text, e);
	if (fd < 0)
		return fd;
	d->format = "vmdk";
	d->fd = give(vm, fd, false);
	d->extents = numbers;
	d->extent_count = files->n;
	return 0;
}

/* Which devices there will be, before any is opened: that decides how the machine starts. */
static void places(struct vm *vm, struct machine *m)
{
	const struct plan_rootfs *root = &vm->plan->caisson->rootfs;
	struct machine_disk *v = arena_array(&vm->arena, 2, sizeof(*v));

	if (root->disk.n)
		v[m->disk_count++] = (struct machine_disk){.serial = "image", .readonly = true};
	if (root->disk_rw)
		v[m->disk_count++] = (struct machine_disk){.serial = "rw"};
	m->disks = v;
	m->nic_count = vm->plan->caisson->nics.n;
	m->share_count = vm->guest.share_count;
}

static int disks(struct vm *vm, struct machine *m, struct err *e)
{
	const struct plan_rootfs *root = &vm->plan->caisson->rootfs;
	struct machine_disk *v = arena_array(&vm->arena, 2, sizeof(*v));
	int r = 0;

	m->disk_count = 0;

	if (root->disk.n) {
		r = image_disk(vm, &v[m->disk_count++], e);
		if (r < 0)
			return r;
	}
	if (root->disk_rw) {
		int fd = open(root->disk_rw, O_RDWR | O_CLOEXEC);

		if (fd < 0)
			return err_sys(e, "writable disk: %s", root->disk_rw);
		v[m->disk_count++] = (struct machine_disk){
		    .serial = "rw", .format = "raw", .fd = give(vm, fd, false)};
	}
	m->disks = v;
	return 0;
}

static int nics(struct vm *vm, const struct vm_files *files, struct machine *m, struct err *e)
{
	const struct plan_nics *from = &vm->plan->caisson->nics;
	struct machine_nic *v = arena_array(&vm->arena, from->n ? from->n : 1, sizeof(*v));

	if (files->tap_count != from->n)
		return err_set(e, ERR_USAGE, "plan with %zu interfaces and %zu tap descriptors",
			       from->n, files->tap_count);
	for (size_t i = 0; i < from->n; i++) {
		if (!from->v[i].mac)
			return err_set(e, ERR_USAGE, "interface %s without a mac", from->v[i].name);
		v[i] = (struct machine_nic){give(vm, files->taps[i], true), from->v[i].mac};
	}
	m->nics = v;
	m->nic_count = from->n;
	return 0;
}

static int shares(struct vm *vm, const struct vm_files *files, int text_fd, struct machine *m,
		  struct err *e)
{
	size_t n = vm->guest.share_count;
	struct machine_share *v = arena_array(&vm->arena, n ? n : 1, sizeof(*v));
	struct share_env env = {.virtiofsd = files->virtiofsd,
				.text_fd = text_fd,
				.admit = files->admit,
				.arg = files->arg};

	vm->shares = arena_array(&vm->arena, n ? n : 1, sizeof(*vm->shares));
	for (size_t i = 0; i < n; i++)
		vm->shares[i] = SHARE_INIT;
	for (size_t i = 0; i < n; i++) {
		int r = share_start(&vm->guest.shares[i], &env, &vm->shares[i], e);

		if (r < 0)
			return r;
		v[i] = (struct machine_share){give(vm, take_fd(&vm->shares[i].fd), false),
					      vm->guest.shares[i].tag};
	}
	m->shares = v;
	m->share_count = n;
	return 0;
}

static int boot_files(struct vm *vm, const struct vm_files *files, struct machine *m,
		      struct vmjail_bind binds[BINDS], struct err *e)
{
	const struct plan_vm *want = vm->plan->caisson->vm;
	struct kernel k = {.acpi = true};
	const char *vmlinux = want->kernel, *initrd = want->initrd;
	int r;

	if (!vmlinux || !initrd) {
		struct initramfs_parts parts = {.kernel = &k,
						.agent = files->agent,
						.nics = m->nic_count > 0,
						.shares = m->share_count > 0 ||
							  !vm->plan->caisson->rootfs.disk.n};

		r = kernel_find(files->kernel_dirs, files->kernel, &vm->arena, &k, e);
		if (r < 0)
			return r;
		r = initramfs_get(&parts, files->cache_dir, &vm->arena, &initrd, e);
		if (r < 0)
			return r;
		vmlinux = k.vmlinux;
	}
	binds[0] = (struct vmjail_bind){vmlinux, "kernel"};
	binds[1] = (struct vmjail_bind){initrd, "initrd"};
	m->kernel = "/kernel";
	m->initrd = "/initrd";
	m->acpi = k.acpi;
	vm->tags.kernel = k.version ? arena_dup(&vm->arena, k.version) : vmlinux;
	return 0;
}

static int accelerator(struct vm *vm, const struct vm_files *files, struct machine *m,
		       struct err *e)
{
	const char *want = vm->plan->caisson->vm->accel;
	struct probe_result probe;
	int r = probe_accel(files->cache_dir, &probe, e);

	if (r < 0)
		return r;
	if (want && streq(want, "kvm") && probe.kvm != PROBE_USABLE)
		return err_set(e, ERR_UNSUPPORTED, "hardware virtualization is not usable: %s",
			       probe.why);
	if (want && !streq(want, "kvm") && !streq(want, "tcg"))
		return err_set(e, ERR_USAGE, "plan: accel '%s'", want);
	m->accel = want ? want : probe_name(&probe);
	m->tsc_khz = probe.tsc_khz;
	return 0;
}

struct plan_device_rules vm_device_rules(struct arena *a)
{
	static const struct {
		int64_t major, minor;
	} needed[] = {{10, 232}, {10, 200}};
	const size_t n = sizeof(needed) / sizeof(needed[0]);
	struct plan_device_rules rules = {.v = arena_array(a, n + 1, sizeof(*rules.v)), .n = n + 1};

	rules.v[0] = (struct plan_device_rule){.allow = false, .access = "rwm"};
	for (size_t i = 0; i < n; i++)
		rules.v[i + 1] = (struct plan_device_rule){.allow = true,
							   .type = "c",
							   .major = {true, needed[i].major},
							   .minor = {true, needed[i].minor},
							   .access = "rw"};
	return rules;
}

const char *vm_find_qemu(void)
{
	static const char *const places[] = {"/usr/bin/qemu-system-x86_64",
					     "/usr/local/bin/qemu-system-x86_64",
					     "/usr/libexec/qemu-kvm", "/usr/bin/qemu-kvm"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static int find_qemu(const struct vm_files *files, const char **out, struct err *e)
{
	if (files->qemu && access(files->qemu, X_OK) < 0)
		return err_sys(e, "%s", files->qemu);
	*out = files->qemu ? files->qemu : vm_find_qemu();
	if (*out)
		return 0;
	return err_set(e, ERR_NOT_FOUND,
		       "qemu-system-x86_64 is not installed: a virtual machine needs it (Debian "
		       "package qemu-system-x86)");
}

/* A user for this machine alone, so that two machines cannot touch each other's process. */
static uid_t own_uid(const struct vm *vm)
{
	uint32_t h = 2166136261u;

	for (const char *p = vm->plan->caisson->id; p && *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return 0x60000000 + (h & 0x0fffffff);
}

static void preload(struct vm *vm, const struct vm_files *files, struct vmjail_bind binds[BINDS])
{
	binds[2] = (struct vmjail_bind){files->guestmem, "guestmem.so"};
	vm->env = "LD_PRELOAD=/guestmem.so";
}

/* As far as it goes: a machine that cannot have a template boots.  m gets the template's places
 * instead of devices when it is to be made. */
static void choose(struct vm *vm, const struct vm_files *files, struct machine *m,
		   struct vmjail_bind binds[BINDS])
{
	struct vmtemplate_parts parts = {binds[0].source, binds[1].source, files->guestmem};
	const char *dir = arena_printf(&vm->arena, "%s/templates", files->cache_dir);
	struct machine blank;
	char key[VMTEMPLATE_KEY];

	if (!files->guestmem || files->cold || vm->plan->caisson->vm->cold)
		return;
	if (vmtemplate_describe(m, &parts, &vm->arena, &blank, key, NULL) < 0 ||
	    vmtemplate_open(dir, key, m->memory_bytes, &vm->template, NULL) < 0)
		return;
	if (vm->template.state == VMTEMPLATE_NONE) {
		vmtemplate_close(&vm->template);
		return;
	}
	vm->role = vm->template.state == VMTEMPLATE_READY ? VM_CLONE : VM_MAKER;
	if (vm->role == VM_MAKER)
		*m = blank;
	else
		vm->incoming = give(vm, vm->template.state_fd, true);
	m->incoming = vm->role == VM_CLONE;
	m->memory_fd = give(vm, vm->template.memory_fd, true);
	preload(vm, files, binds);
	trace_mark(TRACE_TEMPLATE);
}

/* ---- snapshots: where the memory is ---- */

/* The memory of a machine that boots is as private as a clone's, so that a snapshot of it can be
 * taken in the same way. */
static int blank_memory(struct vm *vm, const struct vm_files *files, struct machine *m,
			struct vmjail_bind binds[BINDS], struct err *e)
{
	int fd;

	if (m->memory_fd || m->share_count || m->hugepages || !files->guestmem)
		return 0;
	fd = memfd_create("guest", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "memory of the machine");
	m->memory_fd = give(vm, fd, false);
	m->memory_zero = true;
	if (ftruncate(fd, (off_t)m->memory_bytes) < 0)
		return err_sys(e, "memory of the machine");
	preload(vm, files, binds);
	return 0;
}

static int open_saved(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "snapshot: %s", name) : fd;
}

/* It goes on where it was saved; a template is not asked. */
static int resume(struct vm *vm, const struct vm_files *files, struct machine *m,
		  struct vmjail_bind binds[BINDS], struct err *e)
{
	const char *path = vm->plan->caisson->vm->resume;
	auto_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct vmsnapshot_tags now;
	struct stat st;
	int r;

	if (dir < 0)
		return err_sys(e, "snapshot '%s'", path);
	if (!files->guestmem || m->share_count || m->hugepages)
		return err_set(e, ERR_UNSUPPORTED,
			       "a machine with shared directories or huge pages cannot go on from "
			       "a snapshot");
	r = vmsnapshot_read_tags(dir, &vm->arena, &vm->saved, e);
	if (r < 0)
		return r;
	m->acpi = vm->saved.acpi;
	r = vmsnapshot_describe(m, &vm->arena, &now, e);
	if (r == 0)
		r = vmsnapshot_check(&vm->saved, &now, e);
	if (r == 0)
		r = vm->template.memory_fd = open_saved(dir, "memory", e);
	if (r >= 0)
		r = vm->template.state_fd = open_saved(dir, "state", e);
	if (r < 0)
		return r;
	if (fstat(vm->template.memory_fd, &st) < 0 || (uint64_t)st.st_size != m->memory_bytes)
		return err_set(e, ERR_CORRUPT, "snapshot: the memory is not %" PRIu64 " bytes long",
			       m->memory_bytes);
	vm->tags.kernel = vm->saved.kernel;
	vm->role = VM_RESUMED;
	vm->incoming = give(vm, vm->template.state_fd, true);
	m->incoming = true;
	m->memory_fd = give(vm, vm->template.memory_fd, true);
	preload(vm, files, binds);
	return 0;
}

/* How its memory comes about. */
static int memory(struct vm *vm, const struct vm_files *files, struct machine *m,
		  struct vmjail_bind binds[BINDS], struct err *e)
{
	const char *kernel = vm->tags.kernel;
	struct machine real = *m;
	int r = 0;

	if (vm->plan->caisson->vm->resume)
		r = resume(vm, files, m, binds, e);
	else
		choose(vm, files, m, binds);
	if (r == 0 && vm->role == VM_COLD)
		r = blank_memory(vm, files, m, binds, e);
	if (r < 0 || !m->memory_fd || vm->role == VM_MAKER)
		return r;
	real.acpi = m->acpi;
	r = vmsnapshot_describe(&real, &vm->arena, &vm->tags, e);
	vm->tags.kernel = kernel;
	return r;
}

static int spawn(struct vm *vm, const struct vm_files *files, const struct machine *m,
		 const struct vmjail_bind binds[BINDS], int text, struct err *e)
{
	struct strs argv = {0};
	struct vmjail j;
	int r = machine_args(m, &vm->arena, &argv, e);

	if (r < 0)
		return r;
	j = (struct vmjail){
	    .program = m->qemu,
	    .argv = &argv,
	    .fds = vm->owned,
	    .fd_count = vm->owned_count,
	    .text_fd = vm->owned[text - VMJAIL_FD_FIRST],
	    .uid = files->uid ? files->uid : own_uid(vm),
	    .binds = binds,
	    .bind_count = vm->env ? BINDS : BINDS - 1,
	    .env = vm->env,
	    .kvm = streq(m->accel, "kvm"),
	    .admit = files->admit,
	    .admit_arg = files->arg,
	};
	trace_begin(TRACE_QEMU);
	r = vmjail_spawn(&j, &vm->pid, &vm->pidfd, e);
	if (r == 0)
		trace_begin(TRACE_BOOT);
	return r;
}

#define HUGE_FREE  "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define HUGE_BYTES (2u << 20)

/* QEMU would end with a bus error or a word about mmap. */
static int hugepages(const struct plan_vm *want, struct err *e)
{
	auto_free char *text = NULL;
	uint64_t need = (want->memory_bytes + HUGE_BYTES - 1) / HUGE_BYTES, have = 0;

	if (!want->hugepages)
		return 0;
	if (want->memory_bytes % HUGE_BYTES)
		return err_set(e, ERR_USAGE,
			       "--vm-hugepages wants memory in whole huge pages of 2 MiB");
	if (file_read(AT_FDCWD, HUGE_FREE, 32, &text) > 0)
		have = strtoull(text, NULL, 10);
	if (have >= need)
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
		       "--vm-hugepages: %" PRIu64 " huge pages of 2 MiB are needed and %" PRIu64
		       " are free (sysctl vm.nr_hugepages)",
		       need, have);
}

static int gather_and_spawn(struct vm *vm, const struct vm_files *files, struct err *e)
{
	const struct plan_vm *want = vm->plan->caisson->vm;
	struct machine m = {.memory_bytes = want->memory_bytes,
			    .cpus = want->cpus ? want->cpus : 1};
	struct vmjail_bind binds[BINDS];
	size_t room;
	int r = guestplan_make(vm->plan, &vm->arena, &vm->guest, e);

	if (r < 0)
		return r;
	room = 16 + vm->plan->caisson->rootfs.disk.n + files->tap_count + vm->guest.share_count;
	vm->owned = arena_array(&vm->arena, room, sizeof(*vm->owned));
	vm->borrowed = arena_array(&vm->arena, room, sizeof(*vm->borrowed));
	r = hugepages(want, e);
	if (r < 0)
		return r;
	m.hugepages = want->hugepages;
	places(vm, &m);
	r = find_qemu(files, &m.qemu, e);
	if (r == 0)
		r = accelerator(vm, files, &m, e);
	if (r == 0)
		r = boot_files(vm, files, &m, binds, e);
	if (r == 0)
		r = memory(vm, files, &m, binds, e);
	if (r == 0)
		r = channel(vm, &vm->agent_fd, &m.agent_fd, e);
	if (r == 0)
		r = channel(vm, &vm->qmp.fd, &m.qmp_fd, e);
	if (r == 0)
		r = channel(vm, &vm->text_fd, &m.text_fd, e);
	if (r == 0 && vm->role != VM_MAKER)
		r = disks(vm, &m, e);
	if (r == 0 && vm->role != VM_MAKER)
		r = nics(vm, files, &m, e);
	if (r == 0)
		r = shares(vm, files, vm->owned[m.text_fd - VMJAIL_FD_FIRST], &m, e);
	if (r == 0)
		r = spawn(vm, files, &m, binds, m.text_fd, e);
	close_given(vm);
	return r;
}

static int copy_plan(struct vm *vm, const struct plan *p, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(PLAN_MAX);
	struct plan *copy;
	int r;

	plan_write(p, &text);
	r = buf_fail(&text, "plan", e);
	if (r == 0)
		r = plan_parse(text.p, text.len, "plan", &vm->arena, &copy, e);
	if (r == 0)
		vm->plan = copy;
	return r;
}

int vm_start(const struct plan *p, const struct vm_files *files, struct vm **out, struct err *e)
{
	struct vm *vm;
	int r;

	if (!p->caisson || !p->caisson->vm)
		return err_set(e, ERR_USAGE, "plan: no 'caisson.vm' object");
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		abort();
	vm->qmp = QMP_INIT;
	vm->template = VMTEMPLATE_INIT;
	vm->agent_fd = vm->text_fd = vm->pidfd = -1;
	for (size_t i = 0; files->send && files->send[i]; i++)
		arena_strs_add(&vm->arena, &vm->send, arena_dup(&vm->arena, files->send[i]));
	r = copy_plan(vm, p, e);
	if (r == 0)
		r = gather_and_spawn(vm, files, e);
	if (r < 0) {
		vm_done(vm);
		return r;
	}
	*out = vm;
	return 0;
}

/* ---- templates ---- */

enum vm_role vm_role(const struct vm *vm)
{
	return vm->role;
}

/* Only now it says which it is. */
static int same_version(struct vm *vm, struct err *e)
{
	char status[32];
	int r =
	    qmp_query(&vm->qmp, "query-status", "status", status, sizeof(status), QMP_WAIT_MS, e);

	vm->tags.version = vm->qmp.version;
	return r < 0 ? r : vmsnapshot_check(&vm->saved, &vm->tags, e);
}

int vm_first(struct vm *vm, struct buf *out, struct err *e)
{
	unsigned char seed[SEED_BYTES];
	char from[32];
	int r;

	if (vm->role != VM_CLONE && vm->role != VM_RESUMED)
		return 0;
	if (vm->role == VM_RESUMED && (r = same_version(vm, e)) < 0)
		return r;
	/* It runs as soon as its state is read, for so it was saved. */
	snprintf(from, sizeof(from), "{\"uri\":\"fd:%d\"}", vm->incoming);
	r = qmp_queue(&vm->qmp, "migrate-set-capabilities", IGNORE_SHARED, e);
	if (r == 0)
		r = qmp_queue(&vm->qmp, "migrate-incoming", from, e);
	if (r < 0)
		return r;
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return err_sys(e, "random bytes");
	wire_put(out, WIRE_WAKE, 0, seed, sizeof(seed));
	explicit_bzero(seed, sizeof(seed));
	return 0;
}

int vm_freeze(struct vm *vm, struct err *e)
{
	int r = vm_save_state(vm, vm->template.state_fd, e);

	if (r == 0)
		r = vmtemplate_publish(&vm->template, e);
	trace_end(TRACE_TEMPLATE);
	return r;
}

void vm_discard(struct vm *vm, const struct err *why)
{
	/* What somebody killed says nothing about the template. */
	if ((vm->role == VM_MAKER || vm->role == VM_CLONE) &&
	    !(vm->pid == 0 && WIFSIGNALED(vm->status) && WTERMSIG(vm->status) == SIGKILL))
		vmtemplate_discard(&vm->template, why->msg);
	trace_mark(TRACE_COLD);
}

/* ---- watching ---- */

int vm_fd(const struct vm *vm)
{
	return vm->agent_fd;
}

int vm_text_fd(const struct vm *vm)
{
	return vm->text_fd;
}

int vm_pidfd(const struct vm *vm)
{
	return vm->pidfd;
}

pid_t vm_pid(const struct vm *vm)
{
	return vm->pid;
}

int vm_text_read(struct vm *vm)
{
	char piece[4096];
	ssize_t n;

	while (vm->text_fd >= 0) {
		n = recv(vm->text_fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n <= 0) {
			fd_close(vm->text_fd);
			vm->text_fd = -1;
			return 0;
		}
		if (vm->text_len + (size_t)n > TEXT_MAX) {
			size_t drop = vm->text_len + (size_t)n - TEXT_MAX;

			memmove(vm->text, vm->text + drop, vm->text_len - drop);
			vm->text_len -= drop;
		}
		memcpy(vm->text + vm->text_len, piece, (size_t)n);
		vm->text_len += (size_t)n;
		vm->text[vm->text_len] = '\0';
	}
	return 0;
}

/* One line of text from the guest or QEMU, made safe to print. */
static void line_at(const char *p, char *out, size_t size)
{
	size_t i = 0;

	for (; *p && *p != '\n' && *p != '\r' && i + 1 < size; p++)
		out[i++] = (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e ? '?' : *p;
	out[i] = '\0';
}

static const char *last(const char *text, const char *word)
{
	const char *found = NULL;

	for (const char *p = text; (p = strstr(p, word)); p++)
		found = p;
	return found;
}

static void reap(struct vm *vm, int flags)
{
	pid_t r;

	if (!vm->pid)
		return;
	do
		r = waitpid(vm->pid, &vm->status, flags);
	while (r < 0 && errno == EINTR);
	if (r != 0)
		vm->pid = 0;
}

int vm_why(struct vm *vm, struct err *e)
{
	static const char panic[] = "Kernel panic - not syncing: ";
	static const char agent[] = "caisson-guest: ";
	const char *p;
	char line[256];

	reap(vm, WNOHANG);
	vm_text_read(vm);
	/* The agent's own words say more than the panic that its end leads to. */
	if ((p = last(vm->text, agent))) {
		line_at(p + strlen(agent), line, sizeof(line));
		return err_set(e, ERR_SYSTEM, "guest agent: %s", line);
	}
	if ((p = last(vm->text, panic))) {
		line_at(p + strlen(panic), line, sizeof(line));
		return err_set(e, ERR_SYSTEM, "guest kernel panicked: %s", line);
	}
	if ((p = last(vm->text, "qemu-system"))) {
		line_at(p, line, sizeof(line));
		return err_set(e, ERR_SYSTEM, "%s", line);
	}
	if (vm->pid == 0 && WIFSIGNALED(vm->status))
		return err_set(e, ERR_SYSTEM, "the virtual machine was killed by signal %d",
			       WTERMSIG(vm->status));
	return err_set(e, ERR_SYSTEM, "the virtual machine ended unexpectedly");
}

/* ---- what the guest is told first ---- */

static int put_file(const char *source, const char *name, struct buf *out)
{
	auto_buf struct buf b = BUF_INIT(GUESTPLAN_FILE_MAX + 128);
	auto_free char *data = NULL;
	uint16_t len = htole16((uint16_t)strlen(name));
	ssize_t n = file_read(AT_FDCWD, source, GUESTPLAN_FILE_MAX, &data);

	if (n < 0)
		return (int)n;
	buf_add(&b, &len, sizeof(len));
	buf_puts(&b, name);
	buf_add(&b, data, (size_t)n);
	wire_put(out, WIRE_FILE, 1, b.p, b.len);
	return 0;
}

static int put_files(const struct vm *vm, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < vm->send.n; i++) {
		const char *slash = strrchr(vm->send.v[i], '/');

		put_file(vm->send.v[i], slash ? slash + 1 : vm->send.v[i], out);
	}
	for (size_t i = 0; i < vm->guest.file_count; i++) {
		const struct guestplan_file *f = &vm->guest.files[i];
		int r = put_file(f->source, f->name, out);

		if (r < 0) {
			errno = -r;
			return err_sys(e, "mount %s", f->source);
		}
	}
	return 0;
}

static int put_settings(const struct vm *vm, struct buf *out, struct err *e)
{
	const struct plan_nics *nics_ = &vm->plan->caisson->nics;
	unsigned char seed[SEED_BYTES];
	struct timespec t;
	int64_t ns;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += vm->plan->caisson->vm->clock_offset_s;
	ns = (int64_t)htole64((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return err_sys(e, "random bytes");
	wire_put(out, WIRE_TIME, 1, &ns, sizeof(ns));
	wire_put(out, WIRE_ENTROPY, 1, seed, sizeof(seed));
	explicit_bzero(seed, sizeof(seed));
	for (size_t i = 0; i < nics_->n; i++) {
		auto_buf struct buf b = BUF_INIT(65536);

		jbind_write(&plan_nic_table, &nics_->v[i], &b);
		wire_put(out, WIRE_NET, 1, b.p, b.len);
	}
	return 0;
}

int vm_greeting(struct vm *vm, struct buf *out, struct err *e)
{
	static const char hello[] = "{\"version\":1,\"program\":\"caisson-monitor\"}";
	const struct plan_identity who = {vm->plan->hostname, vm->plan->caisson->machine_id};
	auto_buf struct buf plan = BUF_INIT(WIRE_PAYLOAD_MAX);
	int r;

	trace_end(TRACE_BOOT);
	trace_end(TRACE_QEMU);
	wire_put(out, WIRE_HELLO, 0, hello, strlen(hello));
	if (vm->role == VM_MAKER) {
		trace_begin(TRACE_TEMPLATE);
		wire_put(out, WIRE_PREPARE, 0, NULL, 0);
		return buf_fail(out, "greeting of the guest", e);
	}
	r = put_settings(vm, out, e);
	if (r == 0)
		r = put_files(vm, out, e);
	if (r < 0)
		return r;
	if (vm->role == VM_RESUMED) {
		jbind_write(&plan_identity_table, &who, &plan);
		wire_put(out, WIRE_ADOPT, 1, plan.p, plan.len);
		return buf_fail(out, "greeting of the guest", e);
	}
	plan_write(&vm->guest.plan, &plan);
	r = buf_fail(&plan, "plan for the guest", e);
	if (r < 0)
		return r;
	wire_put(out, WIRE_START, 1, plan.p, plan.len);
	return buf_fail(out, "greeting of the guest", e);
}

/* ---- control ---- */

int vm_pause(struct vm *vm, struct err *e)
{
	return qmp_command(&vm->qmp, "stop", NULL, QMP_WAIT_MS, e);
}

int vm_resume(struct vm *vm, struct err *e)
{
	return qmp_command(&vm->qmp, "cont", NULL, QMP_WAIT_MS, e);
}

int vm_pin(struct vm *vm, const char *list, struct err *e)
{
	const struct plan_vm *want = vm->plan->caisson->vm;
	int r = vmpin_set(vm->pid, want->cpus ? want->cpus : 1, list);

	if (r >= 0)
		return 0;
	errno = -r;
	return err_sys(e, "run on CPUs %s", list);
}

int vm_balloon(struct vm *vm, uint64_t bytes, struct err *e)
{
	char args[48];

	snprintf(args, sizeof(args), "{\"value\":%" PRIu64 "}", bytes);
	return qmp_command(&vm->qmp, "balloon", args, QMP_WAIT_MS, e);
}

static bool ended_within(struct vm *vm, int timeout_ms)
{
	int64_t end = trace_now_ns() + (int64_t)timeout_ms * 1000000;
	struct pollfd p = {.fd = vm->pidfd, .events = POLLIN};

	for (;;) {
		int64_t left = (end - trace_now_ns()) / 1000000;
		int r = poll(&p, 1, left > 0 ? (int)left : 0);

		if (r != 0 && !(r < 0 && errno == EINTR))
			return r > 0;
		if (r == 0 && left <= 0)
			return false;
	}
}

int vm_stop(struct vm *vm, int timeout_ms, struct err *e)
{
	(void)e;
	/* What is on a tmpfs is lost either way: nobody needs to wait for the guest's sync. */
	if (vm->pid && vm->plan->caisson->rootfs.disk_rw) {
		/* Twelve bytes: if even they do not fit, the guest has long stopped to listen. */
		if (wire_send(vm->agent_fd, WIRE_POWEROFF, 0, NULL, 0, NULL) == 0)
			ended_within(vm, timeout_ms);
	}
	if (vm->pid)
		kill(vm->pid, SIGKILL);
	reap(vm, 0);
	return 0;
}

void vm_done(struct vm *vm)
{
	if (!vm)
		return;
	if (vm->pid)
		kill(vm->pid, SIGKILL);
	reap(vm, 0);
	for (size_t i = 0; vm->shares && i < vm->guest.share_count; i++)
		share_stop(&vm->shares[i]);
	close_given(vm);
	/* What was being made and is not whole goes with its maker. */
	if (vm->role == VM_MAKER)
		vmtemplate_discard(&vm->template, NULL);
	vmtemplate_close(&vm->template);
	qmp_done(&vm->qmp);
	fd_close(vm->agent_fd);
	fd_close(vm->text_fd);
	fd_close(vm->pidfd);
	arena_free(&vm->arena);
	free(vm);
}
