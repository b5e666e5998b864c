/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Paths. Two kinds of them: of the host, which we trust, and of a root file
 * system that an image or a container wrote, which we do not. The second kind
 * is only ever resolved by the functions with "in_root", which hand the whole
 * walk to openat2(RESOLVE_IN_ROOT): a planted symlink can only lead to another
 * place below the same root, whatever is renamed meanwhile.
 */
#include <sys/types.h>

#include "base/err.h"

/* "a", "b" -> "a/b"; an absolute b stays. NULL when out of memory. */
MUST_CHECK char *path_join(const char *a, const char *b);

/*
 * Lexically clean: no "//", "." or ".."; ".." at the top stays at the top.
 * Absolute in, absolute out; "../a" becomes "a", so a path of the host is to be
 * made absolute first. NULL when out of memory.
 */
MUST_CHECK char *path_clean(const char *path);

/* path is dir or lies below it; both clean. */
bool path_below(const char *path, const char *dir);

/* /proc/PID/mountinfo writes blank, tab, newline and backslash as \ooo: puts
 * them back, in place. What is no such escape stays as it is. */
void path_unescape(char *s);

/* mkdir -p on the host. */
MUST_CHECK int path_make_dirs(const char *path, mode_t mode, struct err *e);

/*
 * Opens path with rootfd as "/". flags as for open(2), O_CLOEXEC is added.
 * Magic links are never followed. resolve_more: further RESOLVE_ bits, such as
 * RESOLVE_NO_SYMLINKS; O_NOFOLLOW works on the last component as usual.
 */
MUST_CHECK int path_open_in_root(int rootfd, const char *path, int flags,
				 uint64_t resolve_more, struct err *e);

/*
 * The place where something will be mounted: opened O_PATH, missing parents
 * and the last component made first, as a directory (0755) or an empty file
 * (0644), less the umask. What exists is taken as it is. A link that leads
 * nowhere is followed: what it names is made, below the root as ever.
 */
enum path_kind {
	PATH_DIR,
	PATH_FILE,
};
MUST_CHECK int path_make_in_root(int rootfd, const char *path,
				 enum path_kind kind, struct err *e);

/* The parent of path, made where missing and opened O_PATH; *ret_name points
 * into path, at the last component. Refuses "/" and a last "..". */
MUST_CHECK int path_parent_in_root(int rootfd, const char *path,
				   const char **ret_name, struct err *e);

/*
 * Removes name below dirfd with all that is in it, without following links or
 * crossing mounts; depth does not cost stack. What is already gone is fine.
 */
MUST_CHECK int path_remove_tree(int dirfd, const char *name, struct err *e);

/*
 * A cache stays within its bounds: of the files in a folder whose names begin
 * with prefix, the keep that were changed last stay. twin: the suffix of a
 * file that goes with each, or NULL. Whoever finds another at it leaves it to
 * him; readers need no lock, for what they have open stays.
 */
struct path_prune {
	const char *prefix;
	const char *twin;
	size_t keep;
};
MUST_CHECK int path_prune(int folder, const struct path_prune *p,
			  struct err *e);

/* What /proc/self/fd/N names; for messages and for interfaces without *at. */
#define PATH_FD_MAX 32
const char *path_of_fd(int fd, char buf[PATH_FD_MAX]);
