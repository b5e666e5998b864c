#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The manual and --help say the same. Whoever adds an option to a table adds it
# to the page, or this fails.
#
# A command's page is man/PROGRAM-COMMAND.[18] where there is one, else the
# subsection ".Ss COMMAND" of man/PROGRAM.[18]. There, an option stands in a list
# as ".It Fl -name" or ".It Fl n , Fl -name". Options of the program itself stand
# in man/PROGRAM.[18], in front of its first .Ss.

setup()
{
	source=${MOAT_SOURCE:-$BATS_TEST_DIRNAME/../..}
	build=${MOAT_BUILD:-$source/build}
}

need_program()
{
	[[ -x $build/$1 ]] && return
	[[ ${TEST_STRICT-} != 1 ]] || return
	skip "$1 is not built"
}

# Standard input is --help; its long options, its commands.
options_in_help()
{
	sed -nE 's/^  +(-., )?--([a-z0-9][a-z0-9-]*).*/\2/p'
}

commands_in_help()
{
	awk '/^commands:$/ { on = 1; next } /^[^ ]/ || /^$/ { on = 0 }
		on && /^  [a-z]/ { print $1 }'
}

# page_of PROGRAM [COMMAND]: the part of the manual that must tell of it.
page_of()
{
	local page
	if [[ -n ${2-} ]]; then
		for page in "$source/man/$1-$2".[18]; do
			[[ ! -e $page ]] || { cat "$page" && return; }
		done
	fi
	for page in "$source/man/$1".[18]; do
		[[ ! -e $page ]] || awk -v command="${2-}" '
			/^\.Ss / { here = $2; if ($3 != "") here = here " " $3 }
			/^\.Sh / { here = "" }
			here == command' "$page"
	done
}

options_in_page()
{
	grep '^\.It .*Fl' | grep -oE 'Fl (Fl |-)[a-z0-9][a-z0-9-]*' |
		sed -E 's/^Fl (Fl |-)//' | grep -vx help
}

# same_options PROGRAM [COMMAND]: says what only one of the two has.
same_options()
{
	local said written only r=0 what="$1${2:+ $2}"
	said=$("$build/$1" ${2:+"$2"} --help | options_in_help | sort -u)
	written=$(page_of "$@" | options_in_page | sort -u)
	only=$(comm -23 <(echo "$said") <(echo "$written"))
	if [[ -n $only ]]; then
		echo "$what: not in its manual: ${only//$'\n'/ }"
		r=1
	fi
	only=$(comm -13 <(echo "$said") <(echo "$written"))
	if [[ -n $only ]]; then
		echo "$what: only in its manual: ${only//$'\n'/ }"
		r=1
	fi
	[[ -n $(page_of "$@") ]] || { echo "$what: no manual" && r=1; }
	return "$r"
}

# all_options PROGRAM: its own, and each command's.
all_options()
{
	local command r=0 n=0
	need_program "$1"
	same_options "$1" || r=1
	for command in $("$build/$1" --help | commands_in_help); do
		same_options "$1" "$command" || r=1
		n=$((n + 1))
	done
	[[ $n -gt 0 ]] || { echo "$1 --help lists no command" && r=1; }
	return "$r"
}

pages()
{
	find "$source/man" -name '*.[1-9]' | sort
}

@test "moat: the manual has every option of --help, and no other" {
	all_options moat
}

@test "moat-oci: the manual has every option of --help, and no other" {
	all_options moat-oci
}

@test "pages have the sections a reader looks for" {
	local page section r=0
	for page in $(pages); do
		for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' \
			EXAMPLES 'SEE ALSO'; do
			case $page:$section in
			*.[57]:SYNOPSIS | *.[57]:EXIT* | *.8:EXAMPLES) ;;
			*) grep -qE "^\\.Sh \"?$section\"?$" "$page" || {
				echo "$page: no section $section"
				r=1
			} ;;
			esac
		done
	done
	return "$r"
}

@test "pages refer to pages that are there" {
	local page name section r=0
	for page in $(pages); do
		while read -r name section; do
			[[ -e $source/man/$name.$section ]] || {
				echo "$page: no page $name($section)"
				r=1
			}
		done < <(sed -nE 's/^\.Xr (moat[a-z-]*) ([1-9]).*/\1 \2/p' \
			"$page")
	done
	return "$r"
}

@test "pages are installed" {
	local page r=0
	for page in $(pages); do
		grep -q "man/${page##*/}" "$source/man/folder.am" || {
			echo "$page: not in man/folder.am"
			r=1
		}
	done
	return "$r"
}
