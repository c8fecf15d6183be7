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
    {POST, C "/attach", "logs stream stdin stdout stderr", apistream_attach,
     "its stdio on this connection"},
    {GET, C "/logs", "follow stdout stderr since until timestamps tail details", apistream_logs,
     "what it wrote"},
    {GET, C "/changes", "", apifile_changes, "what it changed of its image"},
    {GET, C "/export", "", apifile_export, "all its files as an archive"},
    {POST, C "/exec", "", apiexec_create, "prepare one more process"},
    {POST, "/exec/{}/start", "", apiexec_start, "start it, its stdio on this connection"},
    {POST, "/exec/{}/resize", "h w", apiexec_resize, "size of its terminal"},
    {GET, "/exec/{}/json", "", apiexec_inspect, "what became of it"},
    {GET, "/images/json", "all filters digests shared-size manifests", apiimage_list,
     "list images"},
    {POST, "/images/create", "fromImage tag platform fromSrc repo message changes", apiimage_pull,
     "pull an image"},
    {POST, "/images/prune", "filters", apiimage_prune, "remove unused images"},
    {GET, I "/json", "manifests platform", apiimage_inspect, "describe an image"},
    {GET, I "/history", "platform", apiimage_history, "how it was made"},
    {POST, I "/tag", "repo tag", apiimage_tag, "one more name"},
    {DEL, I, "force noprune platforms", apiimage_remove, "remove a name or an image"},
    /* Known, and not there. */
    {GET, C "/top", "", NULL, "processes"},
    {GET, C "/stats", "", NULL, "what it uses"},
    {POST, C "/update", "", NULL, "change its limits"},
    {GET, C "/attach/ws", "", NULL, "attach by WebSocket"},
    {"HEAD", C "/archive", "", NULL, "a path in an instance"},
    {GET, C "/archive", "", NULL, "files of an instance"},
    {"PUT", C "/archive", "", NULL, "files into an instance"},
    {GET, "/images/search", "", NULL, "search a registry"},
    {GET, "/images/get", "", NULL, "images as an archive"},
    {GET, I "/get", "", NULL, "an image as an archive"},
    {POST, "/images/load", "", NULL, "images of an archive"},
    {POST, I "/push", "", NULL, "push an image"},
    {POST, "/commit", "", NULL, "an image of an instance"},
    {POST, "/build", "", NULL, "build an image"},
    {POST, "/build/prune", "", NULL, "forget what builds kept"},
    {POST, "/session", "", NULL, "BuildKit's session"},
    {POST, "/grpc", "", NULL, "BuildKit's calls"},
    {POST, "/auth", "", NULL, "check credentials"},
    {GET, "/distribution/{*}/json", "", NULL, "an image of a registry"},
    {GET, "/networks", "", NULL, "list networks"},
    {POST, "/networks/create", "", NULL, "make a network"},
    {POST, "/networks/prune", "", NULL, "remove unused networks"},
    {POST, "/networks/{}/connect", "", NULL, "connect an instance"},
    {POST, "/networks/{}/disconnect", "", NULL, "disconnect an instance"},
    {GET, "/networks/{}", "", NULL, "describe a network"},
    {DEL, "/networks/{}", "", NULL, "remove a network"},
    {GET, "/volumes", "", NULL, "list volumes"},
    {POST, "/volumes/create", "", NULL, "make a volume"},
    {POST, "/volumes/prune", "", NULL, "remove unused volumes"},
    {GET, "/volumes/{}", "", NULL, "describe a volume"},
    {DEL, "/volumes/{}", "", NULL, "remove a volume"},
    {GET, "/plugins", "", NULL, "plugins"},
    {GET, "/swarm", "", NULL, "swarm"},
    {GET, "/nodes", "", NULL, "nodes of a swarm"},
    {GET, "/services", "", NULL, "services of a swarm"},
    {GET, "/tasks", "", NULL, "tasks of a swarm"},
    {GET, "/secrets", "", NULL, "secrets of a swarm"},
    {GET, "/configs", "", NULL, "configurations of a swarm"},
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
