/* SPDX-License-Identifier: Apache-2.0 */
/* ocispec - `spec` (a config.json to begin with) and `features` (what this build can do). */
#ifndef OCI_OCISPEC_H
#define OCI_OCISPEC_H

#include "base/opt.h"
#include "oci/ocicmd.h"

ocicmd_fn ocispec_spec, ocispec_features;
extern const struct opt ocispec_opts[];

#endif
