/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload - blobs and manifests into a repository of a registry.
 *
 * A blob that is there is not sent; one that another repository of the registry has is mounted; a
 * small one goes in one PUT, a large one in pieces, of which those that arrived survive a broken
 * connection.  Where the registry sends uploads to another host, that host gets no credentials.
 * Source: OCI distribution-spec v1.1, "Push".
 */
#ifndef REGISTRY_UPLOAD_H
#define REGISTRY_UPLOAD_H

#include <stdint.h>

struct distribution;
struct err;
struct source_push;

#define UPLOAD_CHUNK (16u << 20) /* bytes; up to this a blob goes whole */

int upload_blob(struct distribution *d, const struct source_push *p, struct err *e);
/* Is the blob there, or mounted when p->from is given?  Sets *p->how, "absent" too. */
int upload_have(struct distribution *d, const struct source_push *p, struct err *e);
int upload_manifest(struct distribution *d, const struct source_push *p, struct err *e);

/* "0-99" (the value of Range in an answer): how many bytes from the start the registry has.
 * -EBADMSG when it says something else. */
int upload_range(const char *value, uint64_t *have);

#endif
