/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer may send instead of D-Bus, and annotations of anybody's making.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cgroups/dbus.h"
#include "cgroups/dbus_link.h"
#include "cgroups/gvariant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_message(const uint8_t *data, size_t size)
{
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in in = { 0 };
	uint8_t *v = malloc(size + 1);
	const char *text;
	uint32_t number;

	if (!v)
		return;
	memcpy(v, data, size);
	if (cg_dbus_parse(v, size, &in, NULL) < 0)
		return;
	while (cg_dbus_read_str(&in, &text) == 0 ||
	       cg_dbus_read_u32(&in, &number) == 0 ||
	       cg_dbus_read_var_str(&in, &text) == 0)
		;
}

static void try_text(const uint8_t *data, size_t size)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	autofree char *text = strndup((const char *)data, size);

	if (!text)
		return;
	cg_dbus_call(&m, NULL, "/", "a.b", "C", "v");
	if (cg_gvariant_put(&m, text, NULL) == 0 &&
	    cg_dbus_finish(&m, 1, NULL) < 0)
		return;
}

/* A conversation with a peer that says this and hangs up. */
static void try_talk(const uint8_t *data, size_t size)
{
	_cleanup_(cg_dbus_link_close) struct cg_dbus_link l = CG_DBUS_LINK_INIT;
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in in = { 0 };
	int ends[2];

	if (size > 60000 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	if (write(ends[1], data, size) < 0 || shutdown(ends[1], SHUT_WR) < 0 ||
	    cg_dbus_link_open(&l, ends[0], false, 1000, NULL) < 0) {
		(void)close(ends[1]);
		return;
	}
	cg_dbus_call(&m, NULL, "/", "a.b", "C", "");
	(void)!cg_dbus_talk(&l, &m, &in, NULL, NULL, NULL);
	(void)close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_message(data, size);
	try_text(data, size);
	try_talk(data, size);
	return 0;
}
