/* SPDX-License-Identifier: Apache-2.0 */
/* ociupdate - limits of a running instance: changed (`update`), and what it uses (`events`). */
#ifndef OCI_OCIUPDATE_H
#define OCI_OCIUPDATE_H

#include "base/opt.h"
#include "oci/ocicmd.h"

ocicmd_fn ociupdate_update, ociupdate_events;
extern const struct opt ociupdate_opts[], ociupdate_events_opts[];

#endif
