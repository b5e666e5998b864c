/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/create_opts.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"

/* Descriptors that a service manager passed on travel with the others: those
 * that were meant for us, not for somebody who started us. */
static uint32_t listen_fds(void)
{
	const char *text = getenv("LISTEN_FDS"), *whose = getenv("LISTEN_PID");
	uint32_t n = 0;
	int pid = 0;

	if (!text || !whose || str_to_int(whose, &pid) < 0 || pid != getpid())
		return 0;
	return str_to_u32(text, &n) == 0 && n < 1024 ? n : 0;
}

int oci_create_args(const struct cmd_call *call, struct rt_create *ret,
		    struct err *e)
{
	const struct oci_create_opts *o = call->opts;

	*ret = (struct rt_create){
		.id = call->args[0],
		.bundle = o->bundle,
		.config = o->config,
		.io = {
			.console_socket = o->console_socket,
			.pid_file = o->pid_file,
			.pidfd_socket = o->pidfd_socket,
			.preserve_fds = o->preserve_fds,
			.listen_fds = listen_fds(),
			.detach = o->detach,
		},
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
		.no_subreaper = o->no_subreaper,
		.keep = o->keep,
	};
	return rt_protect_self(oci_argv(), e);
}
