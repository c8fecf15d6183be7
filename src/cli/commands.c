/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"

#include <stddef.h>

const struct cmd *const cmd_all[] = {
    NULL,
};
