/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selfexe - the program's own file, out of reach of what it enters (CVE-2019-5736).
 *
 * A process inside an instance can get at the file behind /proc/PID/exe of whoever joins it, or
 * make the runtime execute itself ("#!/proc/self/exe"), and a root inside may then write to it.  So
 * programs that put processes into instances run from a copy nobody can write: a detached read-only
 * mount of their own file where the kernel lets us, a sealed memfd else.
 */
#ifndef RUNTIME_SELFEXE_H
#define RUNTIME_SELFEXE_H

struct err;

/* Call first thing in main().  Returns 0 when the running file is safe; otherwise executes the safe
 * copy with the same arguments and environment and does not return, or fails. */
int selfexe_ensure(char **argv, char **envp, struct err *e);

/* A descriptor (close-on-exec) of a safe copy of the running program, for fexecve(). */
int selfexe_open(struct err *e);

#endif
