/* SPDX-License-Identifier: Apache-2.0 */
/* scan - damaged layers are reviewed and compared: nothing outside of them is read, and what is
 * found can be written down. */
#include "review/scan.h"
#include "base/err.h"
#include "fmt/erofs.h"
#include "review/compare_trees.h"
#include "spec/review.h"
#include "unpack/merge.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct scan_opts o = {.files = true, .user = "daemon"};
	struct compare_trees_side one, two;
	struct merge_layer layers[2];
	struct review_changes changes;
	struct err e = ERR_INIT;
	struct review r;
	uint32_t sum;
	uint8_t *p;

	if (size < EROFS_BLOCK)
		return 0;
	p = malloc(size);
	if (!p)
		abort();
	memcpy(p, data, size);
	sum = htole32(erofs_checksum(p));
	memcpy(p + EROFS_SUPER_AT + 4, &sum, 4);
	layers[0] = layers[1] = (struct merge_layer){p, size};
	if (scan_run(layers, 2, &o, &a, &r, &e) >= 0) {
		for (size_t i = 0; i < r.findings.n; i++)
			if (r.findings.v[i].layer < 1 || r.findings.v[i].layer > 2 ||
			    strpbrk(r.findings.v[i].path, "\n\033"))
				abort();
		one = (struct compare_trees_side){layers, 1};
		two = (struct compare_trees_side){layers, 2};
		/* A layer over itself changes nothing. */
		if (compare_trees_run(&one, &two, true, &a, &changes, &e) >= 0 &&
		    compare_trees_run(&one, &one, true, &a, &changes, &e) >= 0 && changes.changes.n)
			abort();
	} else if (e.kind == ERR_NONE) {
		abort();
	}
	free(p);
	return 0;
}
