/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/userns.h"
#include "base/auto.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MAP_MAX	     65536
#define HELD	     "ns/holder"
#define FIRST_USERNS 0xEFFFFFFD
#define WORDS_MAX    (3 * 340)

/* ---- where we are ---- */

static bool map_has(const char *file, uint32_t id)
{
	auto_free char *text = NULL;
	unsigned long long in, out, n;

	if (file_read(AT_FDCWD, file, MAP_MAX, &text) < 0)
		return true; /* a kernel without user namespaces */
	for (const char *p = text; p && sscanf(p, "%llu %llu %llu", &in, &out, &n) == 3;
	     p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (id >= in && id - in < n)
			return true;
	return false;
}

/* The first user namespace has a number of its own (PROC_USER_INIT_INO in the kernel's proc_ns.h);
 * asking so is one system call where reading uid_map is three. */
bool userns_inside(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != FIRST_USERNS;
}

uint64_t userns_ids(void)
{
	auto_free char *text = NULL;
	unsigned long long in, out, n, sum = 0;

	if (file_read(AT_FDCWD, "/proc/self/uid_map", MAP_MAX, &text) < 0)
		return UINT32_MAX;
	for (const char *p = text; p && sscanf(p, "%llu %llu %llu", &in, &out, &n) == 3;
	     p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		sum += n;
	return sum;
}

bool userns_has_uid(uint32_t id)
{
	return map_has("/proc/self/uid_map", id);
}

bool userns_has_gid(uint32_t id)
{
	return map_has("/proc/self/gid_map", id);
}

/* ---- maps ---- */

int userns_map_by(const char *program, pid_t pid, const char *map)
{
	auto_free char *copy = strdup(map);
	char pid_arg[16], *argv[2 + WORDS_MAX + 1], *save = NULL;
	int n = 0, status;
	pid_t child;

	if (!copy)
		abort();
	snprintf(pid_arg, sizeof(pid_arg), "%d", (int)pid);
	argv[n++] = (char *)(uintptr_t)program;
	argv[n++] = pid_arg;
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (n == 2 + WORDS_MAX)
			return -E2BIG;
		argv[n++] = w;
	}
	argv[n] = NULL;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		execvp(program, argv);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EACCES;
}

int userns_map_single(pid_t pid)
{
	char dir[32], line[48];
	auto_fd int fd = -1;
	int r;

	snprintf(dir, sizeof(dir), "/proc/%d", (int)pid);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(line, sizeof(line), "0 %u 1", (unsigned int)geteuid());
	r = file_put(fd, "uid_map", line);
	/* One own id may be mapped by anybody once setgroups is denied (user_namespaces(7)). */
	if (r == 0)
		r = file_put(fd, "setgroups", "deny");
	snprintf(line, sizeof(line), "0 %u 1", (unsigned int)getegid());
	return r < 0 ? r : file_put(fd, "gid_map", line);
}

/* ---- the holder ---- */

int userns_holder_read(int run_fd, struct userns_holder *out)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(run_fd, HELD, 128, &text);
	int pid;

	if (n < 0)
		return (int)n;
	if (sscanf(text, "%d %" SCNu64 " %" SCNu64, &pid, &out->user, &out->net) != 3 || pid < 2)
		return -EINVAL;
	out->pid = pid;
	return 0;
}

int userns_holder_write(int run_fd, const struct userns_holder *h)
{
	auto_fd int dir = openat(run_fd, "ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[96];
	int n = snprintf(text, sizeof(text), "%d %" PRIu64 " %" PRIu64 "\n", (int)h->pid, h->user,
			 h->net);

	return dir < 0 ? -errno : file_replace(dir, "holder", text, (size_t)n, 0600, FILE_LAZY);
}

static int open_ns(pid_t pid, const char *type, uint64_t *number)
{
	char path[48];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, type);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*number = fstat(fd, &st) < 0 ? 0 : st.st_ino;
	return fd;
}

int userns_holder_look(pid_t pid, struct userns_holder *out)
{
	auto_fd int user = open_ns(pid, "user", &out->user);
	auto_fd int net = user < 0 ? user : open_ns(pid, "net", &out->net);

	out->pid = pid;
	return net < 0 ? net : 0;
}

static int open_same(pid_t pid, const char *type, uint64_t want)
{
	uint64_t have;
	auto_fd int fd = open_ns(pid, type, &have);

	return fd < 0 || have != want ? -ESTALE : take_fd(&fd);
}

int userns_holder_net(const struct userns_holder *h)
{
	return open_same(h->pid, "net", h->net);
}

int userns_holder_same_user(const struct userns_holder *h)
{
	return open_same(h->pid, "user", h->user);
}

int userns_holder_user(const struct userns_holder *h)
{
	auto_fd int net = userns_holder_net(h);

	/* One that was killed and not yet reaped still has its user namespace, but nothing more. */
	return net < 0 ? net : open_same(h->pid, "user", h->user);
}
