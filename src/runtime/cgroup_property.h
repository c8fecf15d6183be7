/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup_property - limits as systemd unit properties, so that systemd's own idea of the unit does
 * not undo ours at its next daemon-reload.  Source: systemd.resource-control(5),
 * org.freedesktop.systemd1(5). */
#ifndef RUNTIME_CGROUP_PROPERTY_H
#define RUNTIME_CGROUP_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct jbind_map;
struct plan_resources;

/* Each appends one element of an a(sv). */
void cgroup_property_string(struct buf *b, const char *name, const char *value);
void cgroup_property_bool(struct buf *b, const char *name, bool value);
void cgroup_property_u64(struct buf *b, const char *name, uint64_t value);
void cgroup_property_u32s(struct buf *b, const char *name, const uint32_t *v, size_t n);

/* What r asks for, in the names of the given cgroup version. */
int cgroup_property_resources(struct buf *b, const struct plan_resources *r, int version,
			      struct err *e);

/* org.systemd.property.NAME=VALUE of annotations.  NAME must be on a short list: a unit can be told
 * to run things (CVE-2024-3154).  Errors: ERR_USAGE. */
int cgroup_property_annotations(struct buf *b, const struct jbind_map *m, struct err *e);

/* "0-2,7" as the bytes of a bit mask, lowest CPU first. */
int cgroup_property_mask(const char *list, unsigned char mask[128], size_t *len, struct err *e);

#endif
