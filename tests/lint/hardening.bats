#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The programs as built are hardened, whatever configure was told and found.

setup()
{
	source=${MOAT_SOURCE:-$BATS_TEST_DIRNAME/../..}
	build=${MOAT_BUILD:-$source/build}
}

@test "all programs are hardened" {
	local n=0 r=0 file magic
	for file in "$build"/*; do
		[[ -f $file && -x $file ]] || continue
		IFS= read -rN4 magic <"$file" || continue
		[[ $magic == $'\x7fELF' ]] || continue
		"$source/build-aux/check-hardening" "$file" || r=1
		n=$((n + 1))
	done 2>/dev/null
	if [[ $n -eq 0 ]]; then
		[[ ${TEST_STRICT-} != 1 ]] || return
		skip "no program is built"
	fi
	return "$r"
}

# It runs before anything is relocated, src/cli/entry.c has the reasons.
@test "the code in front of the C library calls nothing of it" {
	local object=$build/src/cli/libentry_a-entry.o
	if ! grep -qsx "ENTRY_TRUE=''" "$build/config.log"; then
		skip "this build has no such code"
	fi
	# Where it goes on, and what the linker says of the program's data.
	run nm --undefined-only "$object"
	[[ $(awk '{ print $2 }' <<<"$output" | LC_ALL=C sort | xargs) == \
		"__init_array_start _start edata" ]]
	readelf -rW "$object" | awk '
		/^Relocation section/ { code = /\.rela\.(text|rodata|data)/ }
		code && $3 ~ /_R?(64|32S|.*GOT.*|.*TPOFF.*)$/ { print; bad = 1 }
		END { exit bad }'
}
