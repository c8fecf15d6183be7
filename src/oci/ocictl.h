/* SPDX-License-Identifier: Apache-2.0 */
/* ocictl - commands about instances that are there: state, kill, delete, list, ps, pause, resume.
 */
#ifndef OCI_OCICTL_H
#define OCI_OCICTL_H

#include "base/opt.h"
#include "oci/ocicmd.h"

ocicmd_fn ocictl_state, ocictl_kill, ocictl_delete, ocictl_list, ocictl_ps, ocictl_pause,
    ocictl_resume;
extern const struct opt ocictl_kill_opts[], ocictl_delete_opts[], ocictl_list_opts[],
    ocictl_ps_opts[];

/* "9", "KILL", "SIGKILL", "SIGRTMIN+1" to a number, or -EINVAL. */
int ocictl_signal(const char *text);

#endif
