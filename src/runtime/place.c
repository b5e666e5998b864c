/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/place.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "src/runtime/vm.h"

#define VARIABLE "MOAT_LIBEXECDIR"

void rt_note_place(void)
{
	char path[PATH_MAX], *slash;
	ssize_t n;

	if (getenv(VARIABLE))
		return;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return;
	(void)strncpy(slash, "/moat-guest",
		      sizeof(path) - (size_t)(slash - path) - 1);
	if (access(path, R_OK) != 0)
		return;
	*slash = '\0';
	(void)setenv(VARIABLE, path, 0);
}

char *rt_program_path(const char *name)
{
	const char *dir;

	rt_note_place();
	dir = getenv(VARIABLE);
	return str_printf("%s/%s", dir ? dir : PKGLIBEXECDIR, name);
}
