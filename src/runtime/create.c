/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/rt.h"

#include "base/cleanup.h"
#include "src/runtime/make.h"

int rt_create(const struct rt_context *ctx, const struct rt_create *c,
	      struct err *e)
{
	_cleanup_(make_done) struct make m = MAKE_INIT;
	int r;

	m.ctx = ctx;
	m.args = c;
	m.waits = true;
	r = make_plan(&m, e);
	if (r < 0)
		return r;
	r = make_reserve(&m, e);
	if (r < 0)
		goto undo;
	r = make_execute(&m, e);
	if (r < 0)
		goto undo;
	r = make_announce(&m, e);
	if (r < 0)
		goto undo;
	return 0;

undo:
	make_undo(&m);
	return r;
}

int rt_plan(const struct rt_context *ctx, const struct rt_create *c, char **ret,
	    struct err *e)
{
	_cleanup_(make_done) struct make m = MAKE_INIT;
	int r;

	m.ctx = ctx;
	m.args = c;
	r = make_plan(&m, e);
	if (r < 0)
		return r;
	return json_write(&plan_table, &m.plan, true, ret, NULL, e);
}
