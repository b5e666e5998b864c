# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Saved states of the machine. One is a folder:
#
#	ram		the memory, sparse; resuming maps it privately
#	state		CPUs and devices, as QEMU's migration writes them
#	disk.qcow2	what differs from the machine's disk
#	parameters	of its kernel
#
# Those of the table (tests/vm/snapshots) are made when first needed, under
# their name and a hash of their line and all it stands on: a changed line is
# a new state. Those of tests/vm/snap have just the name they were given.

vm_snapshot_line() # NAME
{
	sed 's/#.*//' "$vm_source/snapshots" | awk -v name="$1" '$1 == name'
}

vm_snapshot_names()
{
	sed 's/#.*//' "$vm_source/snapshots" | awk 'NF { print $1 }'
}

vm_snapshot_chain() # NAME
{
	local name from rest

	read -r name from rest <<<"$(vm_snapshot_line "$1")"
	[ -n "$name" ] || return 0
	echo "$name $from $rest"
	vm_snapshot_chain "$from"
}

vm_snapshot_path() # NAME
{
	local chain

	chain=$(vm_snapshot_chain "$1")
	[ -z "$chain" ] || chain=.$(sha256sum <<<"$chain" | cut -c 1-8)
	echo "$vm_machine/snapshots/$1$chain"
}

# A new state's folder: that of FROM copied, or empty for a boot.
vm_snapshot_begin() # FOLDER FROM
{
	local parameters

	rm -rf "$1"
	mkdir -p "$1"
	case $2 in
	boot | boot:*)
		parameters=${2#boot}
		parameters=${parameters#:}
		echo "$(vm_parameters) ${parameters//,/ }" >"$1/parameters"
		# The path is as seen from disk.qcow2: folders are renamed.
		qemu-img create -q -f qcow2 -b ../../disk.ext4 -F raw \
			"$1/disk.qcow2" >&2
		;;
	*)
		cp --sparse=always --reflink=auto \
			"$(vm_snapshot_path "$2")"/* "$1/"
		;;
	esac
}

# Starts the machine in FOLDER, runs COMMANDS in it and saves its state there.
# Memory and disk are the files themselves, so only the rest is written.
vm_snapshot_save() # FOLDER COMMANDS
{
	local status

	# shellcheck disable=SC2034 # session.sh reads it
	session_seconds=600
	session_open
	session_start "$1" keep >&2 </dev/null
	[ -e "$1/state" ] || session_wait_ready
	session_ask prepare "$2"
	session_wait_ready
	status=$(<"$session/status")
	[ "$status" = 0 ] || vm_die "commands ended with status $status"
	session_monitor "migrate_set_capability x-ignore-shared on" \
		"migrate \"exec:cat >'$1/state.new'\"" quit
	wait "$session_qemu"
	[ -s "$1/state.new" ] || session_explain "the state was not saved"
	mv "$1/state.new" "$1/state"
}

# vm_snapshot_make PATH FROM COMMANDS: in a process of its own, for a session
# ends with its process.
vm_snapshot_make()
{
	(
		trap 'rm -rf "$1.new"' EXIT
		vm_snapshot_begin "$1.new" "$2"
		vm_snapshot_save "$1.new" "$3"
		rm -rf "$1"
		mv "$1.new" "$1"
	) || exit
}

# Makes NAME if it is of the table and not there.
vm_snapshot_need() # NAME
{
	local name from commands path begin=$SECONDS

	path=$(vm_snapshot_path "$1")
	[ ! -e "$path" ] || return 0
	read -r name from commands <<<"$(vm_snapshot_line "$1")"
	[ -n "$name" ] || vm_die "no snapshot '$1'"
	case $from in
	boot | boot:*) ;;
	*) vm_snapshot_need "$from" ;;
	esac
	vm_lock
	if [ ! -e "$path" ]; then
		vm_snapshot_make "$path" "$from" "$commands"
		vm_say "snapshot $name: $((SECONDS - begin)) s," \
			"$(du -sm "$path/ram" | cut -f 1) MiB of memory"
	fi
	vm_unlock
}
