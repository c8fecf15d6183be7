/* SPDX-License-Identifier: Apache-2.0 */
/* quantity - Kubernetes' numbers with a unit: "100m", "1.5", "64Mi", "1e3".  Source: its API
 * reference, "Quantity". */
#ifndef FMT_QUANTITY_H
#define FMT_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

/* In thousandths, rounded up as Kubernetes does.  False: malformed, negative, or beyond INT64_MAX.
 */
bool quantity_parse(const char *s, int64_t *milli);

#endif
