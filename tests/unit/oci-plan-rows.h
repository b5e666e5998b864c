/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Configurations in rows. A row changes one part of a good one:
 *
 *	namespaces  the whole list, without its brackets
 *	os	    more keys of linux
 *	process	    the whole object, without its braces
 *	mounts	    the whole list, without its brackets
 *	root	    "": there is none; else: its path is empty
 *	top	    more keys of the whole
 */
#include "tests/unit/oci-plan.h"

struct row {
	const char *namespaces, *os, *process, *mounts, *root, *top;
	const char *want;
};

#define NS(kind)       "{\"type\":\"" kind "\"}"
#define ALL	       NS("mount") "," NS("pid") "," NS("uts") "," NS("network")
#define USER	       NS("mount") "," NS("user")
#define MAPS(uid, gid) "\"uidMappings\":[" uid "],\"gidMappings\":[" gid "]"
#define MAP(c, h, n)   "{\"containerID\":" c ",\"hostID\":" h ",\"size\":" n "}"
#define RES(text)      "\"resources\":{" text "}"
#define RUN	       "\"args\":[\"/bin/true\"],\"cwd\":\"/\""
#define BIND(rest)                                                             \
	"{\"destination\":\"/m\",\"source\":\"/s\",\"type\":\"bind\"" rest "}"
#define DEVICE(rest) "\"devices\":[{\"path\":\"/dev/x\"," rest "}]"
#define HOOK(text)   "\"hooks\":{\"poststart\":[{\"path\":\"/h\"}," text "]}"
#define NOTE(k, v)   "\"annotations\":{\"" k "\":\"" v "\"}"
#define A10	     "aaaaaaaaaa"
#define A65	     A10 A10 A10 A10 A10 A10 "aaaaa"

static inline char *row_text(const struct row *r)
{
	return str_printf("{\"ociVersion\":\"1.3.0\",%s"
			  "\"process\":{%s},\"mounts\":[%s],\"linux\":{%s%s"
			  "\"namespaces\":[%s]}%s%s}",
			  r->root && !*r->root ? ""
			  : r->root	       ? "\"root\":{\"path\":\"\"},"
				    : "\"root\":{\"path\":\"rootfs\"},",
			  r->process ? r->process : RUN,
			  r->mounts ? r->mounts : "", r->os ? r->os : "",
			  r->os ? "," : "", r->namespaces ? r->namespaces : ALL,
			  r->top ? "," : "", r->top ? r->top : "");
}
