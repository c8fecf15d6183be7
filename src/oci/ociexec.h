/* SPDX-License-Identifier: Apache-2.0 */
/* ociexec - one more process in a running instance. */
#ifndef OCI_OCIEXEC_H
#define OCI_OCIEXEC_H

#include "base/opt.h"
#include "oci/ocicmd.h"

#include <stdint.h>

struct plan_user;

ocicmd_fn ociexec_exec;
extern const struct opt ociexec_opts[];

/* "uid" or "uid:gid", decimal numbers below 2^32 - 1 and nothing else (CVE-2026-30892: "1" read as
 * root).  0 or -EINVAL; *u is untouched then. */
int ociexec_user(const char *text, struct plan_user *u);

#endif
