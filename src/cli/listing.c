/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/listing.h"
#include "base/buf.h"
#include "cli/template.h"
#include "sys/fd.h"

#include <unistd.h>

#define LISTING_MAX (64u << 20) /* bytes */

void listing_add(const struct buf *lines, bool columns, struct buf *out)
{
	if (columns)
		template_align(lines, out);
	else
		buf_add(out, lines->p, lines->len);
}

int listing_print(const struct buf *lines, bool columns, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(LISTING_MAX);
	int r = buf_fail(lines, "output", e);

	if (r < 0)
		return r;
	listing_add(lines, columns, &out);
	r = buf_fail(&out, "output", e);
	if (r < 0)
		return r;
	return fd_write_all(STDOUT_FILENO, out.p, out.len) < 0 ? 1 : 0;
}
