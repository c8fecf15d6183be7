/* SPDX-License-Identifier: Apache-2.0 */
/* ocicheckpoint - checkpoint: the processes of an instance written to files, by CRIU. */
#ifndef OCI_OCICHECKPOINT_H
#define OCI_OCICHECKPOINT_H

#include "base/opt.h"
#include "oci/ocicmd.h"

ocicmd_fn ocicheckpoint_checkpoint;
extern const struct opt ocicheckpoint_opts[];

#endif
