/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apiroute.h"
#include "base/arena.h"
#include "base/str.h"

#include <string.h>

#define GET  "GET"
#define POST "POST"
#define DEL  "DELETE"
#define C    "/containers/{}"
#define I    "/images/{*}"

#define ATTACH "logs stream stdin stdout stderr"
#define BUILD                                                                                      \
	"dockerfile t extrahosts remote q nocache cachefrom pull rm forcerm memory memswap "       \
	"cpushares cpusetcpus cpusetmems cpuperiod cpuquota buildargs shmsize squash labels "      \
	"networkmode platform target outputs version isolation cgroupparent ulimits securityopt"
#define LOGS	     "follow stdout stderr since until timestamps tail details"
#define SWARM_UPDATE "version rotateWorkerToken rotateManagerToken rotateManagerUnlockKey"

const struct apiroute apiroute_table[] = {
    {"HEAD", "/_ping", "", apisystem_ping, "is it there, and which versions"},
    {GET, "/_ping", "", apisystem_ping, "is it there, and which versions"},
    {GET, "/version", "", apisystem_version, "versions"},
    {GET, "/info", "", apisystem_info, "this host and engine"},
    {GET, "/system/df", "type verbose", apisystem_df, "disk usage"},
    {GET, "/events", "since until filters", apisystem_events, "events as they happen"},
    {GET, "/containers/json", "all limit size filters", apicontainer_list, "list instances"},
    {POST, "/containers/create", "name platform", apicontainer_create, "make an instance"},
    {POST, "/containers/prune", "filters", apicontainer_prune, "remove those that do not run"},
    {GET, C "/json", "size", apicontainer_inspect, "describe an instance"},
    {POST, C "/start", "", apicontainer_start, "start"},
    {POST, C "/stop", "t signal", apicontainer_stop, "stop"},
    {POST, C "/restart", "t signal", apicontainer_restart, "stop and start"},
    {POST, C "/kill", "signal", apicontainer_kill, "send a signal"},
    {POST, C "/pause", "", apicontainer_pause, "freeze"},
    {POST, C "/unpause", "", apicontainer_unpause, "thaw"},
    {POST, C "/wait", "condition", apicontainer_wait, "wait for its end"},
    {POST, C "/rename", "name", apicontainer_rename, "rename"},
    {POST, C "/resize", "h w", apicontainer_resize, "size of its terminal"},
    {DEL, C, "v force link", apicontainer_remove, "remove"},
    {POST, C "/attach", ATTACH " detachKeys", apistream_attach, "its stdio on this connection"},
    {GET, C "/logs", LOGS, apistream_logs, "what it wrote"},
    {GET, C "/changes", "", apifile_changes, "what it changed of its image"},
    {GET, C "/export", "", apifile_export, "all its files as an archive"},
    {POST, C "/exec", "", apiexec_create, "prepare one more process"},
    {POST, "/exec/{}/start", "", apiexec_start, "start it, its stdio on this connection"},
    /* Ours: what a browser can speak. */
    {GET, "/exec/{}/ws", "", apiexec_websocket, "start it, its stdio on a WebSocket"},
    {POST, "/exec/{}/resize", "h w", apiexec_resize, "size of its terminal"},
    {GET, "/exec/{}/json", "", apiexec_inspect, "what became of it"},
    {GET, "/images/json", "all filters digests shared-size manifests", apiimage_list,
     "list images"},
    {POST, "/images/create", "fromImage tag platform fromSrc repo message changes",
     apitransfer_create, "pull an image, or import an archive"},
    {POST, "/images/prune", "filters", apiimage_prune, "remove unused images"},
    {GET, I "/json", "manifests platform", apiimage_inspect, "describe an image"},
    {GET, I "/history", "platform", apiimage_history, "how it was made"},
    {POST, I "/tag", "repo tag", apiimage_tag, "one more name"},
    {DEL, I, "force noprune platforms", apiimage_remove, "remove a name or an image"},
    {GET, "/networks", "filters", apinetwork_list, "list networks"},
    {POST, "/networks/create", "", apinetwork_create, "make a network"},
    {POST, "/networks/prune", "filters", apinetwork_prune, "remove unused networks"},
    {POST, "/networks/{}/connect", "", apinetwork_connect, "take an instance to it"},
    {POST, "/networks/{}/disconnect", "", apinetwork_disconnect, "take an instance off it"},
    {GET, "/networks/{}", "verbose scope", apinetwork_inspect, "describe a network"},
    {DEL, "/networks/{}", "", apinetwork_remove, "remove a network"},
    {GET, "/volumes", "filters", apivolume_list, "list volumes"},
    {POST, "/volumes/create", "", apivolume_create, "make a volume"},
    {POST, "/volumes/prune", "filters", apivolume_prune, "remove unused volumes"},
    {GET, "/volumes/{}", "", apivolume_inspect, "describe a volume"},
    {DEL, "/volumes/{}", "force", apivolume_remove, "remove a volume"},
    {POST, "/build", BUILD, apibuild_run, "build an image"},
    {POST, "/build/prune", "keep-storage all filters", apibuild_prune, "forget what builds kept"},
    /* In the words of a docker that has none. */
    {GET, "/plugins", "filters", apinone_plugins, "plugins: none"},
    {GET, "/plugins/privileges", "remote", apinone_plugin_new, "plugins: refused"},
    {POST, "/plugins/pull", "remote name", apinone_plugin_new, "plugins: refused"},
    {POST, "/plugins/create", "name", apinone_plugin_new, "plugins: refused"},
    {GET, "/plugins/{*}/json", "", apinone_plugin, "plugins: not found"},
    {POST, "/plugins/{*}/enable", "timeout", apinone_plugin, "plugins: not found"},
    {POST, "/plugins/{*}/disable", "force", apinone_plugin, "plugins: not found"},
    {POST, "/plugins/{*}/upgrade", "remote", apinone_plugin, "plugins: not found"},
    {POST, "/plugins/{*}/push", "", apinone_plugin, "plugins: not found"},
    {POST, "/plugins/{*}/set", "", apinone_plugin, "plugins: not found"},
    {DEL, "/plugins/{*}", "force", apinone_plugin, "plugins: not found"},
    {POST, "/swarm/init", "", apinone_join, "swarm: refused"},
    {POST, "/swarm/join", "", apinone_join, "swarm: refused"},
    {POST, "/swarm/leave", "force", apinone_leave, "swarm: not a part of one"},
    {GET, "/swarm", "", apinone_swarm, "swarm: not a manager"},
    {POST, "/swarm/update", SWARM_UPDATE, apinone_swarm, "swarm: not a manager"},
    {GET, "/swarm/unlockkey", "", apinone_swarm, "swarm: not a manager"},
    {POST, "/swarm/unlock", "", apinone_swarm, "swarm: not a manager"},
    {GET, "/nodes", "filters", apinone_swarm, "swarm: not a manager"},
    {GET, "/nodes/{}", "", apinone_swarm, "swarm: not a manager"},
    {DEL, "/nodes/{}", "force", apinone_swarm, "swarm: not a manager"},
    {POST, "/nodes/{}/update", "version", apinone_swarm, "swarm: not a manager"},
    {GET, "/services", "filters status", apinone_swarm, "swarm: not a manager"},
    {POST, "/services/create", "", apinone_swarm, "swarm: not a manager"},
    {GET, "/services/{}", "insertDefaults", apinone_swarm, "swarm: not a manager"},
    {DEL, "/services/{}", "", apinone_swarm, "swarm: not a manager"},
    {POST, "/services/{}/update", "version registryAuthFrom rollback", apinone_swarm,
     "swarm: not a manager"},
    {GET, "/services/{}/logs", LOGS, apinone_swarm, "swarm: not a manager"},
    {GET, "/tasks", "filters", apinone_swarm, "swarm: not a manager"},
    {GET, "/tasks/{}", "", apinone_swarm, "swarm: not a manager"},
    {GET, "/tasks/{}/logs", LOGS, apinone_swarm, "swarm: not a manager"},
    {GET, "/secrets", "filters", apinone_swarm, "swarm: not a manager"},
    {POST, "/secrets/create", "", apinone_swarm, "swarm: not a manager"},
    {GET, "/secrets/{}", "", apinone_swarm, "swarm: not a manager"},
    {DEL, "/secrets/{}", "", apinone_swarm, "swarm: not a manager"},
    {POST, "/secrets/{}/update", "version", apinone_swarm, "swarm: not a manager"},
    {GET, "/configs", "filters", apinone_swarm, "swarm: not a manager"},
    {POST, "/configs/create", "", apinone_swarm, "swarm: not a manager"},
    {GET, "/configs/{}", "", apinone_swarm, "swarm: not a manager"},
    {DEL, "/configs/{}", "", apinone_swarm, "swarm: not a manager"},
    {POST, "/configs/{}/update", "version", apinone_swarm, "swarm: not a manager"},
    {"PUT", "/volumes/{}", "version", apinone_swarm, "a swarm's volume: not a manager"},
    {GET, "/images/search", "term limit filters", apisearch_run, "search a registry"},
    {GET, C "/attach/ws", ATTACH " detachKeys", apistream_websocket, "its stdio on a WebSocket"},
    {POST, "/session", "", apinone_buildkit, "BuildKit's session: not found"},
    {POST, "/grpc", "", apinone_buildkit, "BuildKit's calls: not found"},
    {GET, C "/top", "ps_args", apiusage_top, "processes"},
    {GET, C "/stats", "stream one-shot", apiusage_stats, "what it uses"},
    {POST, C "/update", "", apicontainer_update, "change its limits"},
    {"HEAD", C "/archive", "path", apifile_stat, "a path in an instance"},
    {GET, C "/archive", "path", apifile_get, "files of an instance"},
    {"PUT", C "/archive", "path noOverwriteDirNonDir copyUIDGID", apifile_put,
     "files into an instance"},
    {GET, "/images/get", "names", apitransfer_save, "images as an archive"},
    {GET, I "/get", "", apitransfer_save, "an image as an archive"},
    {POST, "/images/load", "quiet platform", apitransfer_load, "images of an archive"},
    {POST, I "/push", "tag", apitransfer_push, "push an image"},
    {POST, "/commit", "container repo tag comment author pause changes", apicommit_run,
     "an image of an instance"},
    {POST, "/auth", "", apiauth_check, "check credentials"},
    {GET, "/distribution/{*}/json", "", apitransfer_distribution, "an image of a registry"},
    {0},
};

/* The part that stands for the braces, or NULL: no match. */
static const char *match(const char *pattern, const char *path, struct arena *a)
{
	const char *open = strchr(pattern, '{'), *close = open ? strchr(open, '}') : NULL;
	size_t before, after, len = strlen(path);
	const char *id;

	if (!open)
		return streq(pattern, path) ? "" : NULL;
	before = (size_t)(open - pattern);
	after = strlen(close + 1);
	if (len <= before + after || strncmp(path, pattern, before) != 0 ||
	    !streq(path + len - after, close + 1))
		return NULL;
	id = arena_dupn(a, path + before, len - before - after);
	return open[1] == '*' || !strchr(id, '/') ? id : NULL;
}

const struct apiroute *apiroute_find(const char *method, const char *path, struct arena *a,
				     const char **id, bool *other)
{
	bool head = streq(method, "HEAD");
	const struct apiroute *get = NULL;

	*other = false;
	for (const struct apiroute *r = apiroute_table; r->method; r++) {
		const char *part = match(r->path, path, a);

		if (!part)
			continue;
		if (streq(r->method, method)) {
			*id = part;
			return r;
		}
		*other = true;
		if (head && !get && streq(r->method, GET)) {
			get = r;
			*id = part;
		}
	}
	return get;
}
