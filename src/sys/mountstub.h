/* SPDX-License-Identifier: Apache-2.0 */
/* mountstub - the place of a mount, which a start made in an overlay's upper directory because the
 * root below did not have it, taken away again. */
#ifndef SYS_MOUNTSTUB_H
#define SYS_MOUNTSTUB_H

/* root_fd: the root as it was.  path: of the place, relative.  It goes if it is as it was made: an
 * empty file or directory; directories above it, which were only copied up to hold it, go as well
 * when nothing else is in them and nothing was done to them. */
void mountstub_drop(int root_fd, int upper_fd, const char *path);

#endif
