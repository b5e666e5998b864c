/* SPDX-License-Identifier: Apache-2.0 */

/* virtio-fs: requests through its queues to a folder. */
#include <linux/fuse.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>

#include "base/cleanup.h"
#include "tests/unit/microvm-driver.h"
#include "tests/unit/scratch.h"

#define FORGETS	 0
#define REQUESTS 1
#define ROOM	 4096

struct share {
	struct drv d;
	struct scratch dir;
	struct vm_share setup;
	uint64_t out; /* the last answer */
};

static bool begin(struct share *s)
{
	static char tag[] = "some-tag";
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };

	memset(s, 0, sizeof(*s));
	s->dir = (struct scratch)SCRATCH_INIT;
	if (!CHECK(scratch_init(&s->dir)) || !drv_init(&s->d))
		return false;
	s->setup = (struct vm_share){ .tag = tag, .dir_fd = s->dir.fd };
	if (!CHECK_OK(virtio_fs_new(&s->setup, &dev, &e), &e))
		return false;
	drv_attach(&s->d, dev);
	return CHECK_OK(virtio_start(dev, false, &e), &e) &&
	       CHECK_OK(drv_start(&s->d, 0, &e), &e);
}

static void end(struct share *s)
{
	drv_done(&s->d);
	scratch_done(&s->dir);
}

static bool answered(struct share *s, unsigned int q)
{
	return __atomic_load_n(&s->d.q[q].used[1], __ATOMIC_ACQUIRE) !=
	       s->d.q[q].seen;
}

/* One request, waited for. The answer's error; 1 when there is none. */
static int ask(struct share *s, unsigned int q, uint32_t opcode,
	       const void *arg, uint32_t len)
{
	struct fuse_in_header h = {
		.len = (uint32_t)sizeof(h) + len,
		.opcode = opcode,
		.nodeid = FUSE_ROOT_ID,
		.uid = geteuid(),
		.gid = getegid(),
	};
	uint64_t in = drv_alloc(&s->d, h.len);
	struct drv_seg seg[] = { { in, h.len, false },
				 { drv_alloc(&s->d, ROOM), ROOM, true } };
	struct fuse_out_header out;
	uint32_t id, used;

	s->out = seg[1].gpa;
	memcpy(drv_at(&s->d, in, sizeof(h)), &h, sizeof(h));
	memcpy(drv_at(&s->d, in + sizeof(h), len), arg, len);
	(void)drv_add(&s->d, q, seg, q == FORGETS ? 1 : 2);
	drv_kick(&s->d, q);
	if (!CHECK(DRV_UNTIL(&s->d, answered(s, q) || s->d.failures)) ||
	    !drv_used(&s->d, q, &id, &used))
		return 1;
	if (used == 0)
		return 0;
	memcpy(&out, drv_at(&s->d, s->out, sizeof(out)), sizeof(out));
	CHECK_INT(out.len, used);
	return out.error;
}

static int say_hello(struct share *s)
{
	struct fuse_init_in in = { .major = 7, .minor = 38 };

	return ask(s, REQUESTS, FUSE_INIT, &in, sizeof(in));
}

TEST(the_driver_finds_the_tag_and_one_queue_for_requests)
{
	struct virtio_fs_config config;
	struct share s;

	REQUIRE(begin(&s));
	CHECK_INT(s.d.dev->ops->id, VIRTIO_ID_FS);
	virtio_get_config(s.d.dev, 0, &config, sizeof(config));
	CHECK_STR((const char *)config.tag, "some-tag");
	CHECK_INT(config.num_request_queues, 1);
	end(&s);
}

TEST(requests_reach_the_folder)
{
	struct fuse_mkdir_in in = { .mode = 0755 };
	char dir[sizeof(in) + 4];
	struct share s;

	REQUIRE(begin(&s));
	CHECK_INT(say_hello(&s), 0);
	memcpy(dir, &in, sizeof(in));
	memcpy(dir + sizeof(in), "dir", 4);
	CHECK_INT(ask(&s, REQUESTS, FUSE_MKDIR, dir, sizeof(dir)), 0);
	CHECK(scratch_has(&s.dir, "dir"));
	CHECK_INT(ask(&s, REQUESTS, FUSE_LOOKUP, "dir", 4), 0);
	CHECK_INT(ask(&s, REQUESTS, FUSE_LOOKUP, "nothing", 8), -ENOENT);
	CHECK(s.d.interrupts > 0);
	end(&s);
}

TEST(forgets_have_a_queue_of_their_own_and_no_answer)
{
	struct fuse_forget_in in = { .nlookup = 1 };
	struct share s;

	REQUIRE(begin(&s));
	CHECK_INT(say_hello(&s), 0);
	CHECK_INT(ask(&s, FORGETS, FUSE_FORGET, &in, sizeof(in)), 0);
	CHECK_INT(s.d.failures, 0);
	end(&s);
}

TEST(a_request_that_is_none_stops_the_device)
{
	struct drv_seg seg;
	struct share s;

	REQUIRE(begin(&s));
	seg = (struct drv_seg){ drv_alloc(&s.d, 8), 8, false };
	(void)drv_add(&s.d, REQUESTS, &seg, 1);
	drv_kick(&s.d, REQUESTS);
	CHECK(DRV_UNTIL(&s.d, s.d.failures > 0));
	end(&s);
}

TEST(a_new_driver_begins_with_nothing)
{
	struct err e = { 0 };
	struct share s;

	REQUIRE(begin(&s));
	CHECK_INT(say_hello(&s), 0);
	virtio_reset(s.d.dev);
	REQUIRE_OK(drv_start(&s.d, 0, &e), &e);
	CHECK_INT(ask(&s, REQUESTS, FUSE_LOOKUP, "x", 2), -EIO);
	CHECK_INT(say_hello(&s), 0);
	CHECK_INT(ask(&s, REQUESTS, FUSE_LOOKUP, "x", 2), -ENOENT);
	end(&s);
}

TEST(what_is_no_folder_cannot_be_shared)
{
	static char tag[] = "tag";
	struct vm_share share = { .tag = tag };
	_cleanup_(scratch_done) struct scratch dir = SCRATCH_INIT;
	struct virtio_dev *dev = NULL;
	struct err e = { 0 };
	autoclose int fd = -1;

	REQUIRE(scratch_init(&dir) && scratch_write(&dir, "file", ""));
	fd = openat(dir.fd, "file", O_RDONLY | O_CLOEXEC);
	share.dir_fd = fd;
	CHECK_INT(virtio_fs_new(&share, &dev, &e), -ENOTDIR);
	CHECK_STR(e.text, "share 'tag': not a folder");
}

static const struct tap_test tests[] = {
	TAP(the_driver_finds_the_tag_and_one_queue_for_requests),
	TAP(requests_reach_the_folder),
	TAP(forgets_have_a_queue_of_their_own_and_no_answer),
	TAP(a_request_that_is_none_stops_the_device),
	TAP(a_new_driver_begins_with_nothing),
	TAP(what_is_no_folder_cannot_be_shared),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
