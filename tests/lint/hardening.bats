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
