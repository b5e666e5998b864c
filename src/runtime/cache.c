/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* No container's id has a colon. */
#define FOLDER ".seccomp:cache"

static int open_folder(int root)
{
	return openat(root, FOLDER,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_ours_alone(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

int rt_seccomp_cache(const char *root)
{
	autoclose int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int fd = -1;

	if (top < 0)
		return -1;
	fd = open_folder(top);
	if (fd < 0 && errno == ENOENT && mkdirat(top, FOLDER, 0700) == 0)
		fd = open_folder(top);
	if (fd < 0)
		log_debug("no cache of seccomp programs: %s",
			  strerrordesc_np(errno));
	else if (!is_ours_alone(fd))
		log_debug("the cache of seccomp programs is not ours alone");
	else
		return steal_fd(&fd);
	return -1;
}
