/* SPDX-License-Identifier: Apache-2.0 */
/* version_order - which of two package versions is newer.  Debian's rule, which agrees with the
 * others wherever these are plain.  Source: deb-version(7), "Sorting algorithm". */
#ifndef FMT_VERSION_ORDER_H
#define FMT_VERSION_ORDER_H

/* < 0, 0, > 0: a is older, as new, newer than b. */
int version_order(const char *a, const char *b);

#endif
