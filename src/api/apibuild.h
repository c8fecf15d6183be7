/* SPDX-License-Identifier: Apache-2.0 */
/* apibuild - what builds keep for the next ones, in /system/df. */
#ifndef API_APIBUILD_H
#define API_APIBUILD_H

struct apicall;
struct err;
struct members;

int apibuild_usage(struct apicall *c, struct members *w, struct err *e);

#endif
