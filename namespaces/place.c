/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/place.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"

int ns_place_file(int dirfd, const char *name, struct err *e)
{
	autoclose int made = -1;
	int fd;

	made = openat(dirfd, name,
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      0600);
	if (made < 0 && errno != EEXIST)
		return err_errno(e, "create '%s'", name);
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '%s'", name) : fd;
}
