/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving a machine that runs.  QEMU writes the state of its devices and processors, and stops for
 * it; the memory is a private mapping, of which the pages that are its own are read from outside
 * (vmsnapshot.c).  Then it goes on: "cont" takes its disks back, too, which the end of a migration
 * lets go of.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "spec/plan.h"
#include "spec/trace.h"
#include "sys/fd.h"
#include "sys/sparse.h"
#include "vmm/vmm_int.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define SAVE_MS 10000

/* It goes on running until QEMU has written its few devices: the memory is in the file already. */
int vm_save_state(struct vm *vm, int state_fd, struct err *e)
{
	int64_t end = trace_now_ns() + (int64_t)SAVE_MS * 1000000;
	struct timespec step = {.tv_nsec = 1000000};
	char status[32];
	int r = qmp_send_fd(&vm->qmp, state_fd, "state", QMP_WAIT_MS, e);

	if (r == 0)
		r = qmp_command(&vm->qmp, "migrate-set-capabilities", IGNORE_SHARED, QMP_WAIT_MS,
				e);
	if (r == 0)
		r = qmp_command(&vm->qmp, "migrate", "{\"uri\":\"fd:state\"}", QMP_WAIT_MS, e);
	while (r == 0) {
		r = qmp_query(&vm->qmp, "query-migrate", "status", status, sizeof(status),
			      QMP_WAIT_MS, e);
		if (r < 0 || streq(status, "completed"))
			break;
		if (streq(status, "failed") || streq(status, "cancelled"))
			return err_set(e, ERR_SYSTEM, "QEMU could not save the machine");
		if (trace_now_ns() > end)
			return err_set(e, ERR_TIMEOUT, "QEMU did not save the machine in %d s",
				       SAVE_MS / 1000);
		nanosleep(&step, NULL);
	}
	return r;
}

static int new_file(int dir, const char *name, struct err *e)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, "snapshot: %s", name) : fd;
}

static int copy_file(int from, int dir, const char *name, struct err *e)
{
	auto_fd int to = new_file(dir, name, e);

	if (to < 0)
		return to;
	errno = -sparse_copy(from, to);
	return errno ? err_sys(e, "snapshot: %s", name) : 0;
}

int vm_save_begin(struct vm *vm, int dir_fd, struct err *e)
{
	auto_fd int to = -1;

	if (!vm->tags.vmm)
		return err_set(e, ERR_UNSUPPORTED,
			       "the memory of a machine with shared directories (-v) or huge "
			       "pages cannot be saved");
	if (vm->template.memory_fd >= 0)
		return copy_file(vm->template.memory_fd, dir_fd, "memory", e);
	to = new_file(dir_fd, "memory", e);
	if (to < 0)
		return to;
	return ftruncate(to, (off_t)vm->tags.memory_bytes) < 0 ? err_sys(e, "snapshot: memory") : 0;
}

/* It stands still: QEMU has stopped it to write its state. */
static int save_rest(struct vm *vm, int dir, struct err *e)
{
	const char *disk = vm->plan->caisson->rootfs.disk_rw;
	auto_fd int memory_fd = openat(dir, "memory", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int from = -1;
	int r;

	if (memory_fd < 0)
		return err_sys(e, "snapshot: memory");
	r = vmsnapshot_copy_memory(vm->pid, vm->tags.memory_bytes, memory_fd, e);
	if (r < 0 || !disk)
		return r;
	from = open(disk, O_RDONLY | O_CLOEXEC);
	return from < 0 ? err_sys(e, "writable disk: %s", disk) : copy_file(from, dir, "disk", e);
}

int vm_save(struct vm *vm, int dir_fd, struct err *e)
{
	auto_fd int state = new_file(dir_fd, "state", e);
	struct err why = ERR_INIT;
	int r = state < 0 ? state : vm_save_state(vm, state, e), t;

	if (r == 0)
		r = save_rest(vm, dir_fd, e);
	/* Whatever came of it, it goes on. */
	t = vm_resume(vm, r < 0 ? &why : e);
	r = r < 0 ? r : t;
	vm->tags.version = vm->qmp.version;
	return r < 0 ? r : vmsnapshot_write_tags(dir_fd, &vm->tags, e);
}
