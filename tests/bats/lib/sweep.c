/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes what a test left, in one program: after each of a thousand tests,
 * the forks of a shell that does it took a minute.
 *
 *	sweep FOLDER NAME
 *
 * Kills the processes that were started in, from or on files of FOLDER, then
 * removes the cgroups that have NAME in their paths, with those in them, and
 * unmounts what is mounted below FOLDER. What has gone meanwhile, or will not
 * go, is no failure.
 */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/util.h"

#define CGROUPS	 "/sys/fs/cgroup"
#define WALK_FDS 32
#define TEXT_MAX ((size_t)1 << 20)
#define END_MS	 2000 /* on a real machine */

static const char *folder, *name;

/* --- processes ------------------------------------------------------------ */

static bool leads_here(int proc, const char *link)
{
	char target[4096];
	ssize_t n = readlinkat(proc, link, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return path_below(target, folder);
}

static bool is_left(int proc)
{
	static const char *const links[] = { "root", "cwd", "exe" };
	autofree char *words = NULL;
	struct err e = { 0 };
	bool left = false;
	size_t n = 0;

	for (size_t i = 0; !left && i < ARRAY_SIZE(links); i++)
		left = leads_here(proc, links[i]);
	if (fd_read_file_at(proc, "cmdline", TEXT_MAX, &words, &n, &e) < 0)
		return left;
	if (!left && !memmem(words, n, folder, strlen(folder)))
		return false;
	/* who runs the tests has the folder in its words as well */
	return !memmem(words, n, "bats-core", strlen("bats-core"));
}

static void kill_processes(void)
{
	autoclosedir DIR *all = opendir("/proc");
	struct dirent *d;

	while (all && (d = readdir(all))) {
		autoclose int proc = -1;
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

		if (pid <= 0 || pid == getpid())
			continue;
		proc = openat(dirfd(all), d->d_name,
			      O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (proc >= 0 && is_left(proc))
			(void)kill(pid, SIGKILL);
	}
}

/* --- cgroups -------------------------------------------------------------- */

static void end_member(pid_t pid)
{
	const char *factor = getenv("MOAT_TEST_PATIENCE");
	struct err e = { 0 };
	autoclose int fd = proc_pidfd_open(pid, &e);
	int patience;

	if (str_to_int(factor ? factor : "1", &patience) < 0)
		patience = 1;
	if (fd >= 0 && proc_pidfd_signal(fd, SIGKILL) == 0 &&
	    proc_pidfd_wait(fd, END_MS * patience) < 0)
		(void)fprintf(stderr, "sweep: process %d goes on\n", pid);
}

static int remove_group(const char *path, const struct stat *st, int kind,
			struct FTW *at)
{
	autofree char *list = NULL;
	autofclose FILE *members = NULL;
	int pid;

	(void)st;
	(void)at;
	if (kind != FTW_DP || !strstr(path, name))
		return 0;
	list = path_join(path, "cgroup.procs");
	members = list ? fopen(list, "re") : NULL;
	while (members && fscanf(members, "%d", &pid) == 1)
		if (pid > 0)
			end_member(pid);
	(void)rmdir(path);
	return 0;
}

/* --- mounts --------------------------------------------------------------- */

/* The last first: it may lie on another. */
static void unmount_all(void)
{
	autofree char *text = NULL;
	autostrv char **lines = NULL;
	struct err e = { 0 };

	if (proc_read_mounts(&text, &e) < 0 ||
	    strv_split(text, '\n', &lines) < 0)
		return;
	for (size_t i = strv_len(lines); i-- > 0;) {
		autofree char *path = NULL;

		if (sscanf(lines[i], "%*s %*s %*s %*s %ms", &path) != 1)
			continue;
		path_unescape(path);
		if (path_below(path, folder) && !str_eq(path, folder))
			(void)umount2(path, MNT_DETACH);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3 || !*argv[1] || !*argv[2]) {
		(void)fprintf(stderr, "usage: sweep FOLDER NAME\n");
		return 2;
	}
	folder = argv[1];
	name = argv[2];
	kill_processes();
	(void)nftw(CGROUPS, remove_group, WALK_FDS, FTW_DEPTH | FTW_PHYS);
	unmount_all();
	return 0;
}
