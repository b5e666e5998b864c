/* SPDX-License-Identifier: Apache-2.0 */

/*
 * moat-guest: the init of a micro-VM. It is the only program of its initramfs,
 * static, and never ends: when its work is done, or cannot be done, the power
 * goes off.
 */
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "src/agent/boot.h"
#include "src/agent/serve.h"

static int run(struct err *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct err trouble = { 0 };
	int fd, r;

	/* A reader that has gone is an error of write(), not our end. */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	r = agent_boot(&trouble, e);
	if (r < 0)
		return r;
	fd = agent_connect(e);
	if (fd < 0)
		return fd;
	return agent_serve(fd, &trouble, e);
}

int main(void)
{
	struct log_config config = { .program = "moat-guest",
				     .level = LOG_LEVEL_WARNING };
	struct err e = { 0 };

	if (log_open(&config, &e) < 0 || getpid() != 1) {
		log_error("is the init of a micro-VM and nothing else");
		return 2;
	}
	if (run(&e) < 0)
		log_error("%s", err_text(&e));
	agent_power_off();
}
