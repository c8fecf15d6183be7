/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/session.h"

#include <stdlib.h>

void session_done(struct session *s)
{
	free(s->root);
	free(s->run_root);
	free(s->libexec);
	free(s->data);
	free(s->self);
	*s = (struct session){0};
}
