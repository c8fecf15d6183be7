/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocicmd.h"
#include "oci/ocicheckpoint.h"
#include "oci/ocicreate.h"
#include "oci/ocictl.h"
#include "oci/ociexec.h"
#include "oci/ocirestore.h"
#include "oci/ocispec.h"
#include "oci/ociupdate.h"

#include <stddef.h>

const struct ocicmd ocicmd_all[] = {
    {"create", "ID", "create an instance; its process waits", ocicreate_create, 1, true,
     ocicreate_opts},
    {"start", "ID", "start the process of a created instance", ocicreate_start, 1, false, NULL},
    {"run", "ID", "create and start an instance", ocicreate_run, 1, true, ocicreate_opts},
    {"exec", "ID COMMAND...", "run one more process in an instance", ociexec_exec, 255, true,
     ociexec_opts},
    {"state", "ID", "print the state of an instance", ocictl_state, 1, false, NULL},
    {"kill", "ID [SIGNAL]", "send a signal, by default SIGTERM", ocictl_kill, 1, false,
     ocictl_kill_opts},
    {"delete", "ID", "remove an instance", ocictl_delete, 1, false, ocictl_delete_opts},
    {"list", "", "list instances", ocictl_list, 1, false, ocictl_list_opts},
    {"ps", "ID [OPTION...]", "list the processes of an instance", ocictl_ps, 1, false,
     ocictl_ps_opts},
    {"pause", "ID", "freeze an instance", ocictl_pause, 1, false, NULL},
    {"resume", "ID", "thaw an instance", ocictl_resume, 1, false, NULL},
    {"update", "ID", "change the limits of an instance", ociupdate_update, 1, false,
     ociupdate_opts},
    {"events", "ID", "print statistics and OOM events", ociupdate_events, 1, false,
     ociupdate_events_opts},
    {"spec", "", "write a config.json to begin with", ocispec_spec, 1, false, ocispec_opts},
    {"features", "", "print what this runtime can do", ocispec_features, 1, false, NULL},
    {"checkpoint", "ID", "write an instance's processes to files, with CRIU",
     ocicheckpoint_checkpoint, 1, false, ocicheckpoint_opts},
    {"restore", "ID", "run an instance from such files", ocirestore_restore, 1, true,
     ocirestore_opts},
    {NULL, NULL, NULL, NULL, 0, false, NULL},
};
