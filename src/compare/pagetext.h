/* SPDX-License-Identifier: Apache-2.0 */
/* pagetext - text into HTML: nothing of it becomes a mark. */
#ifndef COMPARE_PAGETEXT_H
#define COMPARE_PAGETEXT_H

struct buf;

/* As it stands: for what is ours, and JSON. */
void pagetext_escape(struct buf *out, const char *s);
/* Names of images, commands and reasons are somebody else's: control characters are shown as such.
 */
void pagetext_put(struct buf *out, const char *s);
/* <name>s</name> and a newline. */
void pagetext_element(struct buf *out, const char *name, const char *s);

#endif
