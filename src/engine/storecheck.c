/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/storecheck.h"
#include "engine/session.h"

int storecheck_run(struct session *s, bool repair,
		   void (*tell)(int kind, const char *line, void *arg), void *arg,
		   struct audit_result *out, struct err *e)
{
	struct store *store;
	int r = session_store(s, &store, e);

	return r < 0 ? r : audit_run(store, repair, tell, arg, out, e);
}
