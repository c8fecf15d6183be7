/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocicmd.h"
#include "oci/ocicreate.h"
#include "oci/ocictl.h"
#include "oci/ociexec.h"

#include <stddef.h>

const struct ocicmd ocicmd_all[] = {
    {"create", "ID", "create an instance; its process waits", ocicreate_create, 1, true},
    {"start", "ID", "start the process of a created instance", ocicreate_start, 1, false},
    {"run", "ID", "create and start an instance", ocicreate_run, 1, true},
    {"exec", "ID COMMAND...", "run one more process in an instance", ociexec_exec, 255, true},
    {"state", "ID", "print the state of an instance", ocictl_state, 1, false},
    {"kill", "ID [SIGNAL]", "send a signal, by default SIGTERM", ocictl_kill, 1, false},
    {"delete", "ID", "remove an instance", ocictl_delete, 1, false},
    {"list", "", "list instances", ocictl_list, 1, false},
    {"ps", "ID [OPTION...]", "list the processes of an instance", ocictl_ps, 1, false},
    {"pause", "ID", "freeze an instance", ocictl_pause, 1, false},
    {"resume", "ID", "thaw an instance", ocictl_resume, 1, false},
    {NULL, NULL, NULL, NULL, 0, false},
};
