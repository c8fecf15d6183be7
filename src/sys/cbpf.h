/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cbpf - classic BPF as seccomp runs it, here: what a filter would answer to a system call.
 * Source: linux/filter.h and seccomp_check_filter() in kernel/seccomp.c (which instructions).
 */
#ifndef SYS_CBPF_H
#define SYS_CBPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the filter answers (SECCOMP_RET_*), SECCOMP_RET_KILL_PROCESS for a program the kernel would
 * not have taken. */
uint32_t cbpf_run(const struct sock_filter *f, size_t n, const struct seccomp_data *d);

/* Whether some arguments get this call through.  Both ways of every test of an argument are
 * followed, so a call that two contradicting tests keep out is still counted: never too low. */
bool cbpf_reaches_allow(const struct sock_filter *f, size_t n, uint32_t arch, int nr);

#endif
