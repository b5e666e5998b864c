/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/virtio_worker.h"

#include <semaphore.h>

#include "microvm/virtio.h"
#include "tests/unit/tap.h"

/* A device of one queue, whose thread does what a test says. */
struct stage {
	struct virtio_dev dev;
	struct virtio_worker w;
	sem_t entered, called; /* serve() was; again() was */
	bool waits;	       /* serve() stays until its queue is taken back */
	int result;	       /* of serve() */
};

static const struct virtio_ops ops = { .name = "stage" };

static struct stage *stage_of(struct virtio_dev *dev)
{
	return CONTAINER_OF(dev, struct stage, dev);
}

static void again(struct virtio_dev *dev, unsigned int q)
{
	(void)sem_post(&stage_of(dev)->called);
}

static const struct virtio_transport transport = { .again = again };

static int serve(struct virtio_worker *w)
{
	struct stage *s = CONTAINER_OF(w, struct stage, w);

	(void)sem_post(&s->entered);
	while (s->waits && virtio_worker_wait(w, 1000000000U))
		;
	return s->result;
}

static int stumble(struct virtio_worker *w, struct err *e)
{
	return err_set(e, -EPERM, "no way in");
}

static void stage_init(struct stage *s, int result)
{
	memset(s, 0, sizeof(*s));
	s->dev.ops = &ops;
	s->dev.transport = &transport;
	s->w.dev = &s->dev;
	s->w.serve = serve;
	s->result = result;
	(void)sem_init(&s->entered, 0, 0);
	(void)sem_init(&s->called, 0, 0);
}

static void stage_done(struct stage *s)
{
	virtio_worker_stop(&s->w);
	(void)sem_destroy(&s->entered);
	(void)sem_destroy(&s->called);
}

TEST(a_cheat_is_told_by_kicks_until_the_reset)
{
	struct stage s;
	struct err e = { 0 };

	stage_init(&s, -EPROTO);
	REQUIRE_OK(virtio_worker_start(&s.w, false, &e), &e);
	virtio_worker_lend(&s.w);
	(void)sem_wait(&s.called);
	(void)CHECK_INT(virtio_worker_kick(&s.w), -EPROTO);
	(void)CHECK_INT(virtio_worker_kick(&s.w), -EPROTO);
	virtio_worker_take(&s.w);
	s.result = 0;
	virtio_worker_lend(&s.w);
	(void)CHECK_INT(virtio_worker_kick(&s.w), 0);
	stage_done(&s);
}

TEST(a_bad_request_that_a_reset_waits_for_is_not_the_next_drivers)
{
	struct stage s;
	struct err e = { 0 };

	stage_init(&s, -EPROTO);
	s.waits = true;
	REQUIRE_OK(virtio_worker_start(&s.w, false, &e), &e);
	virtio_worker_lend(&s.w);
	(void)sem_wait(&s.entered);
	/* From here on serve() ends, and badly, while we wait for it. */
	virtio_worker_take(&s.w);
	s.result = 0;
	virtio_worker_lend(&s.w);
	(void)CHECK_INT(virtio_worker_kick(&s.w), 0);
	stage_done(&s);
}

TEST(a_thread_without_its_jail_serves_no_driver_at_all)
{
	struct stage s;
	struct err e = { 0 };

	stage_init(&s, 1);
	s.w.enter = stumble;
	REQUIRE_OK(virtio_worker_start(&s.w, false, &e), &e);
	/* Whoever has kicked before is told, too. */
	(void)sem_wait(&s.called);
	for (int i = 0; i < 3; i++) {
		virtio_worker_lend(&s.w);
		(void)CHECK_INT(virtio_worker_kick(&s.w), -EPROTO);
		virtio_worker_take(&s.w);
	}
	(void)CHECK(sem_trywait(&s.entered) < 0);
	stage_done(&s);
}

static const struct tap_test tests[] = {
	TAP(a_cheat_is_told_by_kicks_until_the_reset),
	TAP(a_bad_request_that_a_reset_waits_for_is_not_the_next_drivers),
	TAP(a_thread_without_its_jail_serves_no_driver_at_all),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
