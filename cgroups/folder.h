/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The folder of a group, with those on the way to it, in any hierarchy.
 *
 * A parent that we make ("/moat" of "/moat/x") goes when the last group in it
 * does. Who made it stands in an extended attribute of the folder, because he
 * who removes the last group is mostly another process than he who made the
 * first. Parents without that mark are somebody else's, and stay. Groups wanted
 * for themselves have a mark, too: what a create that was killed left behind is
 * told from an empty group of somebody else's.
 */
#include "base/err.h"

/* Called for each folder that was made, parents first; may be NULL. */
typedef int (*cg_folder_fn)(void *arg, const char *path, struct err *e);

/* Makes path, which lies below mount. *ret_made: it was not there. */
MUST_CHECK int cg_folder_make(const char *mount, const char *path,
			      cg_folder_fn made, void *arg, bool *ret_made,
			      struct err *e);
/* We made it, as a parent or for itself. */
bool cg_folder_ours(const char *path);
/* path is gone: the parents made for it go too, as far as they are empty. */
void cg_folder_prune(const char *path);
/* The group is wanted for itself: it stays when what is below goes. */
void cg_folder_keep(const char *path);
