/* SPDX-License-Identifier: Apache-2.0 */
/* apiimage - an image as two routes list it: /images/json and /system/df. */
#ifndef API_APIIMAGE_H
#define API_APIIMAGE_H

#include <stdbool.h>
#include <stddef.h>

struct apicall;
struct image_rows;
struct members;
struct usage_image;

/* Members of the image of row `at`, with all its names; u: what it takes, or NULL (not counted). */
void apiimage_row(struct apicall *c, struct members *w, const struct image_rows *all, size_t at,
		  const struct usage_image *u);
/* Whether an earlier row is of the same image. */
bool apiimage_seen(const struct image_rows *all, size_t at);

#endif
