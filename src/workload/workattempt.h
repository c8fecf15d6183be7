/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workattempt - harmless attempts to get out, or at what is not ours, made as root inside.
 *
 * Each asks the kernel for something and leaves nothing behind when it is given: arguments are such
 * that a kernel which would permit it finds nothing to do, after it has looked at who asks.
 */
#ifndef WORKLOAD_WORKATTEMPT_H
#define WORKLOAD_WORKATTEMPT_H

#include <sys/types.h>

/* Make all, and print a line for each: "attempt KEY SYSTEM-CALL ERRNO".  ERRNO 0: it got through.
 * host_pid and host_file: a process and a secret file of the one who compares, on the host. */
void workattempt_all(pid_t host_pid, const char *host_file);

#endif
