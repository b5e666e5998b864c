/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the programs are that ours start. Installed ones are in
 * PKGLIBEXECDIR; MOAT_LIBEXECDIR names another folder. A moat that is run from
 * the folder it was built in finds them there: it notes the place in the
 * environment before it hides its own binary (rt_protect_self()), which then
 * has no path any more.
 */
void rt_note_place(void);
