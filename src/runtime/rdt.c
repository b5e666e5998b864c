/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rdt.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroups/rdt.h"

#define MARK "rdt"

static struct cg_rdt rdt_of(const struct plan *p, const char *id)
{
	return (struct cg_rdt){
		.class = p->rdt->clos_id,
		.name = id,
		.schemata = p->rdt->schemata,
		.monitoring = p->rdt->monitoring,
	};
}

static int put_mark(int state_dir, struct err *e)
{
	autoclose int fd =
		openat(state_dir, MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? err_errno(e, "make '%s'", MARK) : 0;
}

int rt_rdt_create(const struct plan *p, const char *id, int state_dir,
		  struct err *e)
{
	struct cg_rdt rdt;
	int r;

	if (!p->rdt)
		return 0;
	rdt = rdt_of(p, id);
	/* Before anything is made: a killed create can then be cleaned up; and
	 * not before we know that it is not somebody else's. */
	r = cg_rdt_check(&rdt, e);
	if (r >= 0)
		r = put_mark(state_dir, e);
	if (r >= 0)
		r = cg_rdt_create(&rdt, e);
	return r < 0 ? err_wrap(e, r, "linux: intelRdt") : 0;
}

int rt_rdt_join(const struct plan *p, const char *id, pid_t pid, struct err *e)
{
	struct cg_rdt rdt;
	int r;

	if (!p->rdt)
		return 0;
	rdt = rdt_of(p, id);
	r = cg_rdt_join(&rdt, pid, e);
	return r < 0 ? err_wrap(e, r, "intelRdt") : 0;
}

int rt_rdt_delete(const struct plan *p, const char *id, int state_dir,
		  struct err *e)
{
	struct cg_rdt rdt;
	int r;

	if (!p->rdt || faccessat(state_dir, MARK, F_OK, 0) < 0)
		return 0;
	rdt = rdt_of(p, id);
	r = cg_rdt_delete(&rdt, e);
	return r < 0 ? err_wrap(e, r, "intelRdt") : 0;
}

void rt_rdt_out(const struct plan *p, const char *id, struct json_out *o)
{
	struct cg_rdt rdt;

	if (!p->rdt) {
		cg_rdt_write(NULL, o);
		return;
	}
	rdt = rdt_of(p, id);
	cg_rdt_write(&rdt, o);
}

int rt_rdt_update(const struct plan *p, const char *id, char *const *schemata,
		  struct err *e)
{
	struct cg_rdt rdt;
	int r;

	if (!p->rdt)
		return err_set(e, -EINVAL,
			       "container '%s' was created without intelRdt",
			       id);
	rdt = rdt_of(p, id);
	rdt.schemata = schemata;
	r = cg_rdt_update(&rdt, e);
	return r < 0 ? err_wrap(e, r, "intelRdt") : 0;
}
