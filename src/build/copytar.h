/* SPDX-License-Identifier: Apache-2.0 */
/* copytar - the plan of a COPY as the tar of a layer, each file read once; the same plan over the
 * same files gives the same bytes. */
#ifndef BUILD_COPYTAR_H
#define BUILD_COPYTAR_H

#include <stdint.h>

struct copyplan;
struct err;

/* Write it to fd.  epoch: seconds; no time is later.  Errors: ERR_CONFLICT a source that changed
 * since it was found, ERR_UNSUPPORTED what no layer can say; -EPIPE without a message when the
 * reader has gone. */
int copytar_write(const struct copyplan *p, int64_t epoch, int fd, struct err *e);

#endif
