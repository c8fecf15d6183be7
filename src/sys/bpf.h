/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf - the few bpf(2) calls that cgroup v2's device filter needs, and an assembler of its
 * instructions.  Source: Documentation/bpf/standardization/instruction-set.rst; bpf(2).
 */
#ifndef SYS_BPF_H
#define SYS_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define BPF_CODE_MAX 4096

/* A program being written.  Full is sticky: bpf_load() then fails with -E2BIG. */
struct bpf_code {
	struct bpf_insn v[BPF_CODE_MAX];
	size_t n;
	int full;
};

/* One instruction; registers 0 .. 10. */
void bpf_emit(struct bpf_code *c, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm);
/* Make the jump at index `at` go to the next instruction to come. */
void bpf_land(struct bpf_code *c, size_t at);

/* Load a program of type BPF_PROG_TYPE_CGROUP_DEVICE.  Returns its descriptor or -errno. */
int bpf_load_device(const struct bpf_code *c);

/* The device programs that bpf_load_device() of any process made and that are attached to cgroup
 * directory dir itself: at most max descriptors (close them).  Others', such as systemd's, are
 * left out.  Returns how many, or -errno. */
int bpf_attached_device(int dir, int *progs, size_t max);

/* Attach prog beside others (BPF_F_ALLOW_MULTI); replace: the attached program whose place it takes
 * in one step (Linux 5.6), or -1. */
int bpf_attach_device(int dir, int prog, int replace);
int bpf_detach_device(int dir, int prog);

#endif
