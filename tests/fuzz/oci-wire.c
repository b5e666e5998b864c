/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile guest can do to the host with its side of the wire: any
 * bytes, as frames, their bodies, and at two pumps. */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "src/oci/wire.h"
#include "src/oci/wire_body.h"
#include "src/oci/wire_pump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	enum wire_type type;
	const struct json_table *table;
	size_t size;
} bodies[] = {
	{ WIRE_HELLO, &wire_hello_table, sizeof(struct wire_hello) },
	{ WIRE_FAILED, &wire_failed_table, sizeof(struct wire_failed) },
	{ WIRE_EXITED, &wire_exited_table, sizeof(struct wire_exited) },
};

union any_body {
	struct wire_hello hello;
	struct wire_failed failed;
	struct wire_exited exited;
};

static void parse_body(const struct wire_frame *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		union any_body b = { 0 };

		if (f->type != bodies[i].type)
			continue;
		if (wire_parse(f, bodies[i].table, &b, NULL) == 0)
			json_free(bodies[i].table, &b);
	}
}

static int take(struct wire *w, struct wire_pump *pump[2])
{
	struct wire_frame f;
	struct err e = { 0 };
	int r = wire_read(w, &e);

	while (r >= 0 && (r = wire_next(w, &f, &e)) > 0) {
		parse_body(&f);
		if (f.type >= WIRE_DATA)
			r = wire_pump_frame(pump[f.session & 1], &f, &e);
	}
	if (wire_flush(w, &e) < 0)
		return -1;
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_pump *pump[2] = { NULL, NULL };
	struct loop *loop = NULL;
	struct wire *w = NULL;
	struct wire_pump_config c = { .stream = WIRE_STDOUT };
	int pair[2];

	if (size > 60000 || loop_new(&loop, NULL) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    wire_new(pair[0], WIRE_HOST, &w, NULL) < 0)
		return 0;
	c.wire = w;
	c.loop = loop;
	if (wire_pump_sink_new(&c, open("/dev/null", O_WRONLY | O_CLOEXEC),
			       &pump[0], NULL) == 0 &&
	    wire_pump_source_new(&c, open("/dev/zero", O_RDONLY | O_CLOEXEC),
				 &pump[1], NULL) == 0 &&
	    write(pair[1], data, size) == (ssize_t)size) {
		(void)close(pair[1]);
		while (take(w, pump) >= 0)
			;
	}
	wire_pump_free(pump[0]);
	wire_pump_free(pump[1]);
	wire_free(w);
	loop_free(loop);
	return 0;
}
