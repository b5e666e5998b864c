/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "src/oci/plan_split.h"
#include "src/oci/wire_body.h"
#include "src/oci/wire_loop.h"
#include "src/runtime/vm_client.h"

/* The init asks the guest, which answers at once, or is emulated and busy. */
#define TIMEOUT_MS 120000

struct question {
	struct loop *loop;
	struct wire *wire;
	struct wire_link *link;
	int answer;
	struct err why;
};

static void question_done(struct question *q)
{
	wire_detach(q->link);
	wire_free(q->wire);
	loop_free(q->loop);
}

static int on_frame(void *arg, const struct wire_frame *f, struct err *e)
{
	struct question *q = arg;

	loop_quit(q->loop, 0);
	if (f->type == WIRE_DONE)
		return 0;
	if (f->type != WIRE_FAILED)
		return err_set(e, -EPROTO, "'%s' frame",
			       wire_type_name(f->type));
	return wire_failed_take(f, &q->answer, &q->why, e);
}

static int on_drained(void *arg, struct err *e)
{
	return 0;
}

static int on_closed(void *arg, int why, struct err *e)
{
	return err_set(e, -ESRCH, "the micro-VM has ended");
}

static const struct wire_handler handler = { on_frame, on_drained, on_closed };

static int on_silence(void *arg, struct err *e)
{
	return err_set(e, -ETIMEDOUT, "the guest's agent does not answer");
}

static int ask(struct question *q, const char *root, const char *id,
	       const struct cg_limits *l, struct err *e)
{
	int r = loop_new(&q->loop, e);

	if (r == 0)
		r = rt_vm_connect(root, id, &q->wire, e);
	if (r == 0)
		r = wire_attach(q->wire, q->loop, &handler, q, &q->link, e);
	if (r == 0)
		r = wire_send_json(q->wire, WIRE_UPDATE, 0, &cg_limits_table, l,
				   e);
	if (r == 0)
		r = loop_add_timer(q->loop, TIMEOUT_MS, 0, on_silence, q, NULL,
				   e);
	return r < 0 ? r : loop_run(q->loop, e);
}

static int update_guest(const char *root, const char *id,
			const struct cg_limits *l, struct err *e)
{
	_cleanup_(question_done) struct question q = { 0 };
	int r = ask(&q, root, id, l, e);

	if (r < 0 || q.answer == 0)
		return r;
	if (e)
		*e = q.why;
	return q.answer;
}

int rt_vm_update(const struct rt_vm_update *u, struct cg_limits *ret_host,
		 struct err *e)
{
	_cleanup_(cg_limits_done) struct cg_limits guest = { 0 };
	int r = plan_split_update(u->plan, u->limits, ret_host, &guest, e);

	if (r < 0 || !cg_limits_any(&guest))
		return r;
	r = u->paused ? err_set(e, -EBUSY,
				"a paused guest cannot be asked: resume it")
		      : update_guest(u->root, u->id, &guest, e);
	if (r < 0)
		cg_limits_done(ret_host);
	return r;
}
