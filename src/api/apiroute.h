/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apiroute - every endpoint of the API, in one table: what is served and what it takes.  Dispatch,
 * the check of parameters, docs/api/routes.md and the test that every route is exercised come from
 * it.
 */
#ifndef API_APIROUTE_H
#define API_APIROUTE_H

#include <stdbool.h>

struct apicall;
struct arena;
struct err;
struct jbind;

struct apiroute {
	const char *method, *path; /* "{}" is one segment, "{*}" may hold slashes */
	const char *query;	   /* parameters, separated by blanks */
	int (*run)(struct apicall *c, struct err *e);
	const char *what;
};

extern const struct apiroute apiroute_table[]; /* ends with .method NULL */

/* What the path (behind the version) and method ask for, and in *id what stands for {}.  NULL:
 * nothing; *other: the path exists with another method.  HEAD is GET where it has no entry. */
const struct apiroute *apiroute_find(const char *method, const char *path, struct arena *a,
				     const char **id, bool *other);

#define APIROUTE_HANDLERS(X)                                                                       \
	X(apisystem_ping)                                                                          \
	X(apisystem_version)                                                                       \
	X(apisystem_info)                                                                          \
	X(apisystem_df)                                                                            \
	X(apisystem_events)                                                                        \
	X(apicontainer_list)                                                                       \
	X(apicontainer_create)                                                                     \
	X(apicontainer_inspect)                                                                    \
	X(apicontainer_start)                                                                      \
	X(apicontainer_stop)                                                                       \
	X(apicontainer_restart)                                                                    \
	X(apicontainer_kill)                                                                       \
	X(apicontainer_pause)                                                                      \
	X(apicontainer_unpause)                                                                    \
	X(apicontainer_wait)                                                                       \
	X(apicontainer_remove)                                                                     \
	X(apicontainer_rename)                                                                     \
	X(apicontainer_resize)                                                                     \
	X(apicontainer_prune)                                                                      \
	X(apistream_attach)                                                                        \
	X(apistream_websocket)                                                                     \
	X(apistream_logs)                                                                          \
	X(apiexec_create)                                                                          \
	X(apiexec_start)                                                                           \
	X(apiexec_websocket)                                                                       \
	X(apiexec_inspect)                                                                         \
	X(apiexec_resize)                                                                          \
	X(apifile_changes)                                                                         \
	X(apifile_export)                                                                          \
	X(apiimage_list)                                                                           \
	X(apiimage_inspect)                                                                        \
	X(apiimage_history)                                                                        \
	X(apitransfer_create)                                                                      \
	X(apiimage_tag)                                                                            \
	X(apiimage_remove)                                                                         \
	X(apiimage_prune)                                                                          \
	X(apinetwork_list)                                                                         \
	X(apinetwork_create)                                                                       \
	X(apinetwork_prune)                                                                        \
	X(apinetwork_inspect)                                                                      \
	X(apinetwork_remove)                                                                       \
	X(apivolume_list)                                                                          \
	X(apivolume_create)                                                                        \
	X(apivolume_prune)                                                                         \
	X(apivolume_inspect)                                                                       \
	X(apivolume_remove)                                                                        \
	X(apinone_plugins)                                                                         \
	X(apinone_plugin)                                                                          \
	X(apinone_plugin_new)                                                                      \
	X(apinone_swarm)                                                                           \
	X(apinone_leave)                                                                           \
	X(apinone_join)                                                                            \
	X(apisearch_run)                                                                           \
	X(apinone_buildkit)                                                                        \
	X(apibuild_run)                                                                            \
	X(apibuild_prune)                                                                          \
	X(apinetwork_connect)                                                                      \
	X(apinetwork_disconnect)                                                                   \
	X(apiusage_top)                                                                            \
	X(apiusage_stats)                                                                          \
	X(apicontainer_update)                                                                     \
	X(apifile_stat)                                                                            \
	X(apifile_get)                                                                             \
	X(apifile_put)                                                                             \
	X(apitransfer_save)                                                                        \
	X(apitransfer_load)                                                                        \
	X(apitransfer_push)                                                                        \
	X(apitransfer_distribution)                                                                \
	X(apicommit_run)                                                                           \
	X(apiauth_check)
#define X(name) int name(struct apicall *c, struct err *e);
APIROUTE_HANDLERS(X)
#undef X

/* The bodies that are one table each; the others have a header of their own (apibody.h,
 * apihost.h). */
extern const struct jbind apinetwork_connect_table, apinetwork_disconnect_table;
extern const struct jbind apinetwork_table, apivolume_table, apicommit_table, apiauth_table;

#endif
