/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verity - fs-verity of one file: from then on the kernel checks every block of it against a tree
 * of hashes as it is read, and nobody can change it, only replace it.
 * Source: Linux, Documentation/filesystems/fsverity.rst.
 */
#ifndef STORE_VERITY_H
#define STORE_VERITY_H

#include "fmt/digest.h"

struct err;

/* fd: open for reading, nobody has it open for writing.  On already is fine.
 * Errors: ERR_UNSUPPORTED by kernel or file system, named; ERR_SYSTEM. */
int verity_enable(int fd, struct err *e);

/* The digest that the kernel holds the file to ("sha256:..."); 1, or 0 when verity is not on. */
int verity_measure(int fd, char out[DIGEST_LEN + 1]);

#endif
