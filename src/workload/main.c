/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-workload - lives inside what `caisson compare` measures; static, so that it runs in any
 * image. Has standard input and output; takes commands from the one who started it and from nobody
 * else.
 *
 *	caisson-workload DIR		what follows, with files below DIR
 *	caisson-workload idle		does nothing until it is ended
 *	caisson-workload true		ends
 *	caisson-workload identity	says its host name and a random number
 *	caisson-workload sleep MSEC	known: for those who check what compare reports
 *	caisson-workload hold BYTES MSEC
 *	caisson-workload qemu [once]	as process 1 of a bare machine, commands from its console
 *
 * Says "ready NS", the time by its own monotonic clock when main() began, then for each line on
 * stdin does it, and says "end" or "failed WHY".  Questions are answered in lines instead.
 * Ends at end of file.
 */
#include "workload/work.h"
#include "workload/workarch.h"
#include "workload/workattempt.h"
#include "workload/workdisk.h"
#include "workload/workhttp.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void end(int r)
{
	if (r == 0)
		puts("end");
	else
		printf("failed %s\n", strerror(-r));
}

/* ---- what is timed ---- */

static int cpu(uint64_t n)
{
	/* The result of the arithmetic has to go somewhere, or it would not be done. */
	static volatile uint64_t sink;

	sink += work_cpu(n);
	return 0;
}

static int syscalls(uint64_t n)
{
	return work_syscalls(n) == n ? 0 : -EIO;
}

static int memory(uint64_t n)
{
	static volatile uint64_t sink;
	uint64_t sum = work_memory(n);

	sink += sum;
	return sum ? 0 : -ENOMEM;
}

static const struct {
	const char *name;
	int (*fn)(uint64_t n);
} timed[] = {{"cpu", cpu},
	     {"syscalls", syscalls},
	     {"memory", memory},
	     {"fork", work_fork},
	     {"write", workdisk_write},
	     {"read", workdisk_read},
	     {"random-read", workdisk_random_read},
	     {"random-write", workdisk_random_write},
	     {"names", workdisk_names},
	     {"hold", work_hold}};

/* ---- what is asked ---- */

static void kernel(void)
{
	char id[64] = "unknown";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	struct utsname u;

	if (f && fgets(id, sizeof(id), f))
		id[strcspn(id, "\n")] = '\0';
	if (f)
		fclose(f);
	if (uname(&u) == 0)
		printf("kernel %s %s %s\n", u.release, u.sysname, id);
	else
		end(-errno);
}

/* A line of a file of /proc: the number behind `key`. */
static uint64_t field(const char *file, const char *key, int base)
{
	FILE *f = fopen(file, "re");
	char line[256];
	uint64_t v = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			v = strtoull(line + strlen(key), NULL, base);
	if (f)
		fclose(f);
	return v;
}

static int nodes(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	struct stat st;
	int n = 0;

	while (d && (de = readdir(d)))
		if (fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			n += S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode);
	if (d)
		closedir(d);
	return n;
}

static void wall(void)
{
	printf("wall %" PRIx64 " %d\n", field("/proc/self/status", "CapEff:", 16), nodes("/dev"));
}

static void identity(void)
{
	char host[65] = "";
	uint64_t random = 0;
	FILE *f = fopen("/dev/urandom", "re");

	if (f) {
		if (fread(&random, sizeof(random), 1, f) != 1)
			random = 0;
		fclose(f);
	}
	gethostname(host, sizeof(host) - 1);
	printf("identity %s %016" PRIx64 "\n", host, random);
}

static bool question(const char *line)
{
	char names[256], file[512];
	unsigned int port;
	int pid;

	if (strcmp(line, "clock\n") == 0) {
		printf("clock %" PRId64 "\n", now_ns());
	} else if (strcmp(line, "kernel\n") == 0) {
		kernel();
	} else if (strcmp(line, "wall\n") == 0) {
		wall();
	} else if (strcmp(line, "belief\n") == 0) {
		printf("belief %" PRIu64 " %" PRIu64 "\n", field("/proc/meminfo", "MemTotal:", 10),
		       field("/proc/meminfo", "MemAvailable:", 10));
	} else if (strcmp(line, "machines\n") == 0) {
		workarch_names(names, sizeof(names));
		printf("machines %s\n", names);
	} else if (sscanf(line, "http %u", &port) == 1) {
		uint16_t p = (uint16_t)port;
		int r = workhttp_serve(&p);

		if (r == 0)
			printf("http %u\n", p);
		else
			end(r);
	} else if (sscanf(line, "attempts %d %511s", &pid, file) == 2) {
		workattempt_all(pid, file);
		end(0);
	} else {
		return false;
	}
	return true;
}

static void command(const char *line)
{
	char name[32];
	uint64_t n = 0;

	if (question(line))
		return;
	if (sscanf(line, "%31s %" SCNu64, name, &n) >= 1)
		for (size_t i = 0; i < sizeof(timed) / sizeof(timed[0]); i++)
			if (strcmp(timed[i].name, name) == 0) {
				end(timed[i].fn(n));
				return;
			}
	end(-EINVAL);
}

static int live(const char *dir, int64_t began)
{
	char line[600];
	int r = workdisk_open(dir);

	printf("ready %" PRId64 "\n", began);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (r < 0 && (strncmp(line, "write", 5) == 0 || strncmp(line, "names", 5) == 0))
			end(r); /* with a reason of its own: the directory */
		else
			command(line);
		fflush(stdout);
	}
	workdisk_close();
	return 0;
}

/* ---- process 1 ---- */

static int bare(bool once, int64_t began)
{
	struct utsname u = {.release = ""};
	struct termios t;

	mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount("dev", "/dev", "devtmpfs", MS_NOSUID, NULL);
	if (tcgetattr(STDIN_FILENO, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(STDIN_FILENO, TCSANOW, &t);
	}
	if (once) {
		uname(&u);
		puts(u.release);
		fflush(stdout);
		tcdrain(STDOUT_FILENO);
	} else {
		live("/", began);
	}
	reboot(RB_AUTOBOOT);
	return 1;
}

static void pause_ms(const char *ms)
{
	uint64_t n = strtoull(ms, NULL, 10);
	const struct timespec t = {.tv_sec = (time_t)(n / 1000),
				   .tv_nsec = (long)(n % 1000) * 1000000};

	nanosleep(&t, NULL);
}

int main(int argc, char **argv)
{
	int64_t began = now_ns();

	if (argc >= 2 && strcmp(argv[1], "qemu") == 0)
		return bare(argc > 2 && strcmp(argv[2], "once") == 0, began);
	if (argc == 2 && strcmp(argv[1], "true") == 0)
		return 0;
	if (argc == 2 && strcmp(argv[1], "identity") == 0) {
		identity();
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "idle") == 0)
		for (;;)
			pause();
	if (argc == 3 && strcmp(argv[1], "sleep") == 0) {
		pause_ms(argv[2]);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "hold") == 0) {
		if (work_hold(strtoull(argv[2], NULL, 10)) < 0)
			return 1;
		puts("held");
		fflush(stdout);
		pause_ms(argv[3]);
		return 0;
	}
	return argc == 2 ? live(argv[1], began) : 2;
}
