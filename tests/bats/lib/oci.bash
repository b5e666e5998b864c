# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Containers by moat-oci, for the tests of bats/oci: load ../lib/common first.
#
#	setup() { need_root; bundle; }
#
#	@test "..." {
#		edit '.process.user.umask = 63'		# config.json, by jq
#		[[ $(inside umask) == 0077 ]]		# a shell script in it
#	}
#
# The bundle of a test is $bundle, its container $id; the root is a busybox.

# Words in '...' are for jq and for shells inside; options may be left out.
# shellcheck disable=SC2016,SC2119,SC2120

oci_here=${BASH_SOURCE[0]%/*}

# What scripts inside may use, besides what a shell knows by itself.
applets='awk basename cat chgrp chmod chown cmp cp cut dd df echo env expr false
	find getopt grep head hostname id ip ipcs kill ln ls mkdir mkfifo mknod
	mount mv nproc nsenter od pidof ps pwd readlink realpath rm rmdir sed seq
	setsid sh sha256sum sleep sort stat stty sync tail taskset tee test touch
	tr true tty uname umount uniq unlink wc xargs yes'

# The bundle that those of a file's tests are copies of.
make_master() # FOLDER
{
	local root=$1/rootfs name

	mkdir -p "$root"/{bin,dev,etc,proc,root,sys,tmp,work}
	cp "$(command -v busybox)" "$root/bin/busybox"
	for name in $applets; do
		ln -s busybox "$root/bin/$name"
	done
	echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
	cat >"$1/config.json" <<-'EOF'
		{
		  "ociVersion": "1.3.0",
		  "root": { "path": "rootfs" },
		  "process": {
		    "args": [ "/bin/true" ], "cwd": "/", "env": [ "PATH=/bin" ],
		    "user": { "uid": 0, "gid": 0 }
		  },
		  "mounts": [
		    { "destination": "/proc", "type": "proc", "source": "proc" },
		    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
		      "options": [ "nosuid", "mode=755" ] }
		  ],
		  "linux": {
		    "namespaces": [
		      { "type": "pid" }, { "type": "mount" }, { "type": "ipc" },
		      { "type": "uts" }
		    ]
		  }
		}
	EOF
}

# The test's bundle, its config.json and the name of its container.
bundle() # [NAME]
{
	local master=$BATS_FILE_TMPDIR/bundle

	need_program busybox jq
	[ -d "$master" ] || make_master "$master"
	bundle=$BATS_TEST_TMPDIR/${1:-bundle}
	id=${1:-c}-$test_id
	cp -a "$master" "$bundle"
}

# edit [JQ-OPTION...] FILTER: config.json becomes what the filter makes of it.
edit()
{
	local new

	new=$(jq "$@" <"$bundle/config.json") || return
	echo "$new" >"$bundle/config.json"
}

# program WORD...: what the container runs.
program()
{
	edit '.process.args = $ARGS.positional' --args -- "$@"
}

# script TEXT: the same, for a shell inside.
script()
{
	program /bin/sh -c "$1"
}

namespace() # TYPE [PATH]: one more, or another one of that type
{
	edit '.linux.namespaces |= map(select(.type != $type)) + [ { type: $type }
		+ if $path == "" then {} else { path: $path } end ]' \
		--arg type "$1" --arg path "${2-}"
}

no_namespace() # TYPE
{
	edit '.linux.namespaces |= map(select(.type != $type))' --arg type "$1"
}

# Root of a new user namespace must reach its files.
open_to_others() # [OWNER]
{
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
	chown -hR "${1:-100000}" "$bundle/rootfs"
}

user_namespace()
{
	namespace user
	edit '.linux.uidMappings = [ { containerID: 0, hostID: 100000, size: 1000 } ]
		| .linux.gidMappings = [ { containerID: 0, hostID: 200000, size: 500 } ]'
	open_to_others 100000:200000
}

capabilities() # NAME...: in all sets but the ambient one
{
	edit '$ARGS.positional as $c | .process.capabilities =
		{ bounding: $c, permitted: $c, effective: $c }' --args -- "$@"
}

run_container() # [OPTION...]: in the foreground, to its end
{
	moat_oci run --bundle "$bundle" "$@" "$id"
}

inside() # SCRIPT: what it says, from a container of its own
{
	script "$1"
	run_container
}

# The container refuses to be, and $output says so in one line.
refused() # [OPTION...]
{
	moat_oci_fails run --bundle "$bundle" "$@" "$id"
	[ "$status" -eq 1 ] || {
		echo "status $status instead of 1: $output" >&2
		return 1
	}
	[ "${#lines[@]}" -eq 1 ] || {
		echo "more than one line: $output" >&2
		return 1
	}
	! exists "$id" || {
		echo "$id was left behind" >&2
		return 1
	}
}

# refuses FILTER WORDS: with this change it is refused, and told so.
refuses()
{
	cp "$bundle/config.json" "$bundle/config.whole"
	edit "$1"
	refused
	mv "$bundle/config.whole" "$bundle/config.json"
	says "$2"
}

says() # WORDS: $output has them
{
	[[ $output == *"$1"* ]] || {
		echo "not in it: $1" "is: $output" >&2
		return 1
	}
}

# create and start do not wait; their container must not hold on to our output.
create() # [OPTION...]
{
	moat_oci create --bundle "$bundle" "$@" "$id" </dev/null \
		>"$bundle/output" 2>&1 3>&- || {
		cat "$bundle/output" >&2
		return 1
	}
}

start() # [OPTION...]: a container that goes on
{
	create "$@"
	moat_oci start "$id"
}

# A container that waits for nothing, to look at and exec in.
start_idle()
{
	program /bin/sleep 1000
	start
}

in_it() # COMMAND...: by exec
{
	moat_oci exec "$id" "$@"
}

state() # [ID]: one word
{
	member status "${1:-$id}"
}

pid() # [ID]: of its init
{
	member pid "${1:-$id}"
}

# Of its state, at the outermost level. What state says is laid out for people.
member() # NAME ID
{
	local said

	said=$(moat_oci state "$2") || return
	[[ $said =~ $'\n  "'"$1"'": '\"?([^\",]*) ]] && echo "${BASH_REMATCH[1]}"
}

exists() # [ID]
{
	[ -d "$BATS_TEST_TMPDIR/oci/${1:-$id}" ]
}

is() # STATUS [ID]: for wait_for
{
	[ "$(state "${2:-$id}" 2>/dev/null)" = "$1" ]
}

has() # TEXT FILE: for wait_for
{
	grep -qsF -e "$1" "$2"
}

gone() # PID: it has ended, whoever has not yet asked how
{
	local stat

	read -r stat <"/proc/$1/stat" || return 0
	stat=${stat##*) }
	[[ $stat == [ZX]* ]]
} 2>/dev/null

groups_left() # [ID]: cgroups of a container
{
	find /sys/fs/cgroup -type d -name "*${1:-$id}*"
}

nothing_left() # [ID]: neither state nor groups
{
	! exists "$@" && [ -z "$(groups_left "$@")" ]
}

helper() # WORD...: what a shell cannot do; see oci.py
{
	PATH=/usr/bin:$PATH python3 "$oci_here/oci.py" "$@"
}

# moat-oci on a terminal of 20 rows and 60 columns; what stdin says is typed.
on_terminal() # ARGUMENT...
{
	helper on-terminal 20 60 "$MOAT_BUILD/moat-oci" \
		--root "$BATS_TEST_TMPDIR/oci" "$@"
}
