/* SPDX-License-Identifier: Apache-2.0 */
/* store_int - what the files of store/ know of each other. */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include "base/arena.h"

struct store {
	int root_fd, run_fd; /* run_fd -1: opened without a run root */
	char *root, *run;
	int credentials;    /* -1: none of its own */
	const char *driver; /* store_set_driver() */
};

#define STORE_JSON_MAX (1u << 20) /* bytes of one record of ours */

#endif
