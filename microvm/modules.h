/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which modules of a kernel a guest needs, in the order in which they must be
 * loaded.
 *
 *	r = vm_modules_read(folder, &m, e);	modules.dep, modules.builtin
 *	r = vm_modules_resolve(m, VM_NEED_FS | ..., &list, e);
 *
 * modules.dep has a line per module: its path, a colon, the paths of all that
 * it depends on. Its order is not the order to load in (and differs between
 * depmods), so dependencies are followed by what each says itself. A name is
 * a path's last part without .ko and what comes behind it, with '-' read as
 * '_'. What is neither there nor in modules.builtin is missing, and said so by
 * name.
 */
#include "base/cleanup.h"
#include "base/err.h"

struct vm_modules;

/* folder: /lib/modules/VERSION, or NULL: everything is taken as built in. */
MUST_CHECK int vm_modules_read(const char *folder, struct vm_modules **ret,
			       struct err *e);
/* The same from texts, which stay the caller's. For tests. */
MUST_CHECK int vm_modules_parse(const char *dep, const char *builtin,
				struct vm_modules **ret, struct err *e);
void vm_modules_free(struct vm_modules *m);

DEFINE_CLEANUP(struct vm_modules *, vm_modules_free);

bool vm_modules_has(const struct vm_modules *m, const char *name);

/* Can this kernel do that? needs: enum vm_need (backend.h). */
bool vm_modules_can(const struct vm_modules *m, unsigned int needs);

/*
 * Paths below the folder, dependencies first, each once; NULL-terminated, the
 * caller's to strv_free(). Empty (not NULL) when all is built in.
 */
MUST_CHECK int vm_modules_resolve(const struct vm_modules *m,
				  unsigned int needs, char ***ret,
				  struct err *e);
