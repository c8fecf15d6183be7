/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/bpf.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ATTACHED_MAX 64
#define PROGRAM_NAME "caisson_device" /* BPF_OBJ_NAME_LEN is 16 */

void bpf_emit(struct bpf_code *c, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	if (c->n == BPF_CODE_MAX) {
		c->full = 1;
		return;
	}
	c->v[c->n++] = (struct bpf_insn){
	    .code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm};
}

void bpf_land(struct bpf_code *c, size_t at)
{
	if (at < c->n)
		c->v[at].off = (int16_t)(c->n - at - 1);
}

static int call(int cmd, union bpf_attr *a, size_t size)
{
	long r;

	/* EAGAIN: the verifier was interrupted by a signal. */
	for (int tries = 0; tries < 8; tries++) {
		r = syscall(SYS_bpf, cmd, a, size);
		if (r >= 0 || errno != EAGAIN)
			break;
	}
	return r < 0 ? -errno : (int)r;
}

int bpf_load_device(const struct bpf_code *c)
{
	static const char licence[] = "Apache-2.0";
	union bpf_attr a;

	if (c->full)
		return -E2BIG;
	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uint64_t)(uintptr_t)c->v;
	a.insn_cnt = (uint32_t)c->n;
	a.license = (uint64_t)(uintptr_t)licence;
	memcpy(a.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	return call(BPF_PROG_LOAD, &a, sizeof(a)); /* descriptors of bpf(2) are close-on-exec */
}

static int is_ours(int prog)
{
	struct bpf_prog_info info;
	union bpf_attr a;

	memset(&info, 0, sizeof(info));
	memset(&a, 0, sizeof(a));
	a.info.bpf_fd = (uint32_t)prog;
	a.info.info_len = sizeof(info);
	a.info.info = (uint64_t)(uintptr_t)&info;
	return call(BPF_OBJ_GET_INFO_BY_FD, &a, sizeof(a)) == 0 &&
	       strncmp(info.name, PROGRAM_NAME, sizeof(info.name)) == 0;
}

int bpf_attached_device(int dir, int *progs, size_t max)
{
	uint32_t ids[ATTACHED_MAX];
	union bpf_attr a;
	int r;

	memset(&a, 0, sizeof(a));
	a.query.target_fd = (uint32_t)dir;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = (uint64_t)(uintptr_t)ids;
	a.query.prog_cnt = max < ATTACHED_MAX ? (uint32_t)max : ATTACHED_MAX;
	r = call(BPF_PROG_QUERY, &a, sizeof(a));
	if (r < 0)
		return r;
	max = a.query.prog_cnt;
	for (size_t i = 0, n = 0; i <= max; i++) {
		if (i == max)
			return (int)n;
		memset(&a, 0, sizeof(a));
		a.prog_id = ids[i];
		r = call(BPF_PROG_GET_FD_BY_ID, &a, sizeof(a));
		if (r == -ENOENT) /* detached meanwhile */
			continue;
		if (r < 0) {
			while (n > 0)
				close(progs[--n]);
			return r;
		}
		if (is_ours(r))
			progs[n++] = r;
		else
			close(r);
	}
	return 0;
}

int bpf_attach_device(int dir, int prog, int replace)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.target_fd = (uint32_t)dir;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	if (replace >= 0) {
		a.attach_flags |= BPF_F_REPLACE;
		a.replace_bpf_fd = (uint32_t)replace;
	}
	return call(BPF_PROG_ATTACH, &a, sizeof(a));
}

int bpf_detach_device(int dir, int prog)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.target_fd = (uint32_t)dir;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	return call(BPF_PROG_DETACH, &a, sizeof(a));
}
