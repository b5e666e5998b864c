#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each member of config.json that src/oci/spec*.c reads has a test that covers
# it: tests/data/oci-fields says which.

setup()
{
	source=${MOAT_SOURCE:-$BATS_TEST_DIRNAME/../..}
	table=$source/tests/data/oci-fields
}

in_source()
{
	awk -f "$source/tests/lint/oci-fields.awk" "$source"/src/oci/spec*.c | sort
}

in_table()
{
	grep -v '^#' "$table"
}

@test "the tables of config.json are understood" {
	[[ $(in_source | wc -l) -ge 190 ]]
	in_source | grep -qx 'process.user.uid'
	in_source | grep -qxF 'hooks.poststop[].timeout'
	in_source | grep -qxF 'linux.resources.blockIO.throttleReadBpsDevice[].rate'
	in_source | grep -qxF 'linux.timeOffsets.*.secs'
	in_source | grep -qxF 'mounts[].uidMappings[].size'
}

@test "every member of config.json has a test, and the list no other" {
	in_table | cut -f 1 | sort >"$BATS_TEST_TMPDIR/listed"
	in_source >"$BATS_TEST_TMPDIR/read"
	diff "$BATS_TEST_TMPDIR/read" "$BATS_TEST_TMPDIR/listed"
}

@test "the tests that are listed exist" {
	local member file name r=0

	while IFS=$'\t' read -r member file name; do
		case $file in
		*.bats) grep -qxF "@test \"$name\" {" "$source/tests/$file" ;;
		*) grep -qxF "TEST($name)" "$source/tests/$file" ;;
		esac || {
			echo "$member: no test '$name' in tests/$file"
			r=1
		}
	done < <(in_table)
	return "$r"
}
