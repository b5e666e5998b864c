/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A place to bind one file on; private to this folder. */
#include "base/err.h"

/*
 * name in dirfd, opened O_PATH; made empty where it is missing. Never through
 * a link: what is there is opened itself, a link as the link.
 */
MUST_CHECK int ns_place_file(int dirfd, const char *name, struct err *e);
