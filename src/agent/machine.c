/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "netns/config.h"
#include "netns/link.h"
#include "src/agent/agent.h"
#include "src/oci/wire_body.h"

static int set_clock(int64_t secs, uint32_t nanosecs, struct err *e)
{
	const struct timespec t = { .tv_sec = secs, .tv_nsec = nanosecs };

	if (clock_settime(CLOCK_REALTIME, &t) < 0)
		return err_errno(e, "set the clock");
	return 0;
}

/*
 * Bytes of the host's own generator. They count as random (a guest of an
 * emulator has little else), and the generator is seeded anew at once, so that
 * two guests that were one do not go on with the same numbers.
 */
static int add_entropy(const void *data, size_t len, struct err *e)
{
	autoclose int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	autofree struct rand_pool_info *info = NULL;

	if (fd < 0)
		return err_errno(e, "open '/dev/urandom'");
	info = calloc(1, sizeof(*info) + len);
	if (!info)
		return err_nomem(e);
	info->entropy_count = (int)(8 * len);
	info->buf_size = (int)len;
	memcpy(info->buf, data, len);
	if (ioctl(fd, RNDADDENTROPY, info) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
		return err_errno(e, "add entropy");
	return 0;
}

static int mount_share(const struct wire_mount *m, struct err *e)
{
	int r = path_make_dirs(m->target, 0755, e);

	if (r < 0)
		return r;
	if (mount(m->tag, m->target, "virtiofs", m->readonly ? MS_RDONLY : 0,
		  NULL) < 0)
		return err_errno(e, "mount share '%s' on '%s'", m->tag,
				 m->target);
	return 0;
}

/* Who has no namespace for them sees what he would see on the host. */
static int set_names(const struct wire_setup *s, struct err *e)
{
	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_errno(e, "set the host's name");
	if (s->domainname &&
	    setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_errno(e, "set the host's domain");
	return 0;
}

static int set_up(const struct wire_setup *s, struct err *e)
{
	const struct log_config config = {
		.program = "moat-guest",
		.level = s->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING,
	};
	int r;

	r = log_open(&config, e);
	if (r == 0)
		r = set_clock(s->clock_secs, s->clock_nanosecs, e);
	if (r == 0 && s->entropy.n)
		r = add_entropy(s->entropy.v, s->entropy.n, e);
	if (r == 0)
		r = set_names(s, e);
	if (r == 0)
		r = net_loopback_up(e);
	if (r == 0 && s->network)
		r = net_config_write(s->network, e);
	for (size_t i = 0; i < s->mounts.n && r == 0; i++)
		r = mount_share(&s->mounts.v[i], e);
	return r;
}

int agent_setup(struct agent *a, const struct wire_frame *f, struct err *e)
{
	struct wire_setup s = { 0 };
	int r;

	r = wire_parse(f, &wire_setup_table, &s, e);
	if (r == 0) {
		r = set_up(&s, e);
		a->state = steal_ptr(s.state);
		json_free(&wire_setup_table, &s);
	}
	return r;
}

int agent_clock(struct agent *a, const struct wire_frame *f, struct err *e)
{
	struct wire_clock c = { 0 };
	int r = wire_parse(f, &wire_clock_table, &c, e);

	return r < 0 ? r : set_clock(c.secs, c.nanosecs, e);
}

int agent_entropy(struct agent *a, const struct wire_frame *f, struct err *e)
{
	return add_entropy(f->body, f->len, e);
}
