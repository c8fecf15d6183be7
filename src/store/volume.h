/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume - directories that outlive instances: root/volumes/NAME/_data.
 *
 * A volume exists when its _data does; it is made under tmp/ and renamed, so that it appears whole.
 */
#ifndef STORE_VOLUME_H
#define STORE_VOLUME_H

struct err;

/* Make the volume unless it is there.  Returns 1 when it was made now, else 0. */
int volume_ensure(int root_fd, const char *name, struct err *e);
/* Absent is success. */
int volume_remove(int root_fd, const char *name, struct err *e);

#endif
