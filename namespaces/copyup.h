/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * tmpcopyup: what a folder of the image contains, with owners, modes, times
 * and extended attributes, into a tmpfs that nobody sees yet; private to this
 * folder. Links are copied as links and never followed: the source was written
 * by the image.
 */
#include "base/err.h"

/* from: a folder, O_PATH will do. to: the root of a mount that is writable. */
MUST_CHECK int ns_copyup(int from, int to, struct err *e);
