/* SPDX-License-Identifier: Apache-2.0 */
/* ocirestore - restore: an instance whose processes come out of the images of a checkpoint. */
#ifndef OCI_OCIRESTORE_H
#define OCI_OCIRESTORE_H

#include "base/opt.h"
#include "oci/ocicmd.h"

ocicmd_fn ocirestore_restore;
extern const struct opt ocirestore_opts[];

#endif
