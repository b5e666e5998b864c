/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/print.h"

#include <stdio.h>

#include "base/cleanup.h"

static void put(struct json_out *o, const char *key, const char *value)
{
	json_out_key(o, key);
	json_out_str(o, value);
}

void oci_write_state(struct json_out *o, const struct state *s)
{
	json_out_begin(o, '{');
	put(o, "ociVersion", s->version);
	put(o, "id", s->id);
	json_out_key(o, "pid");
	json_out_i64(o, s->status == STATE_STOPPED ? 0 : s->pid);
	put(o, "status", state_status_names[s->status]);
	put(o, "bundle", s->bundle);
	put(o, "rootfs", s->rootfs);
	put(o, "created", s->created);
	if (s->annotations.n > 0) {
		json_out_key(o, "annotations");
		json_out_begin(o, '{');
		for (size_t i = 0; i < s->annotations.n; i++)
			put(o, s->annotations.keys[i],
			    s->annotations.values[i]);
		json_out_end(o, '}');
	}
	put(o, "owner", s->owner);
	json_out_end(o, '}');
}

int oci_print(struct json_out *o, struct err *e)
{
	autofree char *text = NULL;
	int r;

	r = json_out_take(o, &text, NULL, e);
	if (r < 0)
		return r;
	(void)puts(text); /* cmd_main() tells when stdout has failed */
	return 0;
}
