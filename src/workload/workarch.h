/* SPDX-License-Identifier: Apache-2.0 */
/* workarch - which machines' programs run here: a program of a few instructions for each, tried. */
#ifndef WORKLOAD_WORKARCH_H
#define WORKLOAD_WORKARCH_H

#include <stddef.h>

/* Names as OCI's ("amd64 386 arm64"), blanks between, of those that ran. */
void workarch_names(char *out, size_t size);

#endif
