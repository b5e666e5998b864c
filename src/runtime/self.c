/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "src/runtime/place.h"

#define SELF  "/proc/self/exe"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#ifndef ST_RDONLY
#define ST_RDONLY 0x0001
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : (path ? path : "moat");
}

static bool on_readonly_mount(void)
{
	struct statfs fs;

	return statfs(SELF, &fs) == 0 && (fs.f_flags & ST_RDONLY);
}

static bool is_sealed(void)
{
	autoclose int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	/* -1, for whatever is no memfd, has all bits set. */
	return seals >= 0 && (seals & SEALS) == SEALS;
}

/*
 * A mount of the one file, read-only, in no mount namespace: whoever reaches
 * it through /proc cannot write, and nobody can remount what is nowhere.
 */
static int detached_mount(void)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	autoclose int fd = -1;

	fd = open_tree(AT_FDCWD, SELF, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0 ||
	    mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* Where we may not mount: a copy that nobody can change any more. */
static int sealed_copy(struct err *e)
{
	autoclose int from = open(SELF, O_RDONLY | O_CLOEXEC);
	autoclose int to = -1;
	struct stat st;
	off_t done = 0;

	to = memfd_create("moat-oci",
			  MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (to < 0 && errno == EINVAL) /* before 6.3 */
		to = memfd_create("moat-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return err_errno(e, "copy '%s'", SELF);
	while (done < st.st_size)
		if (sendfile(to, from, &done, (size_t)(st.st_size - done)) <= 0)
			return err_errno(e, "copy '%s'", SELF);
	if (fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return err_errno(e, "seal the copy of '%s'", SELF);
	return steal_fd(&to);
}

int rt_protect_self(char *const *argv, struct err *e)
{
	autoclose int fd = -1;

	if (on_readonly_mount() || is_sealed()) {
		/* Executed by descriptor, our name is a number otherwise. */
		(void)prctl(PR_SET_NAME, base_name(argv[0]), 0, 0, 0);
		return 0;
	}
	/* Not root, and not our file: nor can the container write it, which
	 * has no rights that we lack. */
	if (geteuid() != 0 && faccessat(AT_FDCWD, SELF, W_OK, AT_EACCESS) < 0)
		return 0;
	rt_note_place();
	fd = detached_mount();
	if (fd < 0) {
		log_debug("no detached mount of ourselves: %s",
			  strerrordesc_np(-fd));
		fd = sealed_copy(e);
		if (fd < 0)
			return fd;
	}
	(void)syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	return err_errno(e, "execute ourselves from a protected place");
}
