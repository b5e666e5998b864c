# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Containers for the tests of cgroups: a root made of the host's /usr, and
# words to start programs under limits. The driver is $driver.

# make_bundle NAME RESOURCES COMMAND [ARGUMENT...]: RESOURCES is JSON, what
# stands in linux.resources. $more_mounts, when set, is JSON after a comma.
make_bundle()
{
	local name=$1 resources=$2 dir=$BATS_TEST_TMPDIR/$1

	shift 2
	mkdir -p "$dir/rootfs"/{usr,proc,dev,tmp,sys}
	ln -sfn usr/bin "$dir/rootfs/bin"
	ln -sfn usr/sbin "$dir/rootfs/sbin"
	ln -sfn usr/lib "$dir/rootfs/lib"
	ln -sfn usr/lib64 "$dir/rootfs/lib64"
	cat >"$dir/config.json" <<-END
		{
		  "ociVersion": "1.2.0",
		  "root": { "path": "rootfs" },
		  "process": {
		    "args": $(jq -cn '$ARGS.positional' --args -- "$@"), "cwd": "/",
		    "env": [ "PATH=/usr/bin:/usr/sbin" ],
		    "user": { "uid": 0, "gid": 0 }
		  },
		  "mounts": [
		    { "destination": "/usr", "source": "/usr", "type": "bind",
		      "options": [ "rbind", "ro" ] },
		    { "destination": "/proc", "source": "proc", "type": "proc" },
		    { "destination": "/dev", "source": "tmpfs", "type": "tmpfs" },
		    { "destination": "/host", "source": "$BATS_TEST_TMPDIR",
		      "type": "bind", "options": [ "rbind", "rw" ] }
		    ${more_mounts-}
		  ],
		  "linux": {
		    "cgroupsPath": "$(cgroup_of "$name")",
		    "namespaces": [
		      { "type": "pid" }, { "type": "mount" }, { "type": "ipc" }
		    ],
		    "resources": $resources
		  }
		}
	END
}

# As config.json names it.
cgroup_of() # NAME
{
	case $driver in
	systemd) echo "system.slice:moat:$1-$test_id" ;;
	*) echo "/moat-$test_id/$1" ;;
	esac
}

oci()
{
	moat_oci --cgroup-manager "$driver" "$@"
}

oci_fails()
{
	run oci "$@"
	fails_if_ok "moat-oci $*"
}

# run_bundle NAME RESOURCES COMMAND...: to its end
run_bundle()
{
	make_bundle "$@"
	oci run --bundle "$BATS_TEST_TMPDIR/$1" "$1-$test_id"
}

# start_bundle NAME RESOURCES COMMAND...: goes on in the background
start_bundle()
{
	make_bundle "$@"
	oci create --bundle "$BATS_TEST_TMPDIR/$1" "$1-$test_id" \
		</dev/null >"$BATS_TEST_TMPDIR/$1.out" 2>&1 3>&- || {
		cat "$BATS_TEST_TMPDIR/$1.out" >&2
		return 1
	}
	oci start "$1-$test_id"
}

# number NAME KEY: of `events --stats`, the last KEY in it
number()
{
	oci events --stats "$1-$test_id" |
		grep -o "\"$2\":[0-9]*" | tail -n 1 | cut -d : -f 2
}

# within PERCENT GOT WANTED
within()
{
	at_most "$@" || return 1
	[ $((100 * $2)) -ge $(((100 - $1) * $3)) ] || {
		echo "$2 is more than $1 % below $3" >&2
		return 1
	}
}

at_most() # PERCENT GOT WANTED
{
	[ $((100 * $2)) -le $(((100 + $1) * $3)) ] || {
		echo "$2 is more than $1 % over $3" >&2
		return 1
	}
}

# Files of a container's group, in whatever hierarchy they are.
group_files() # NAME FILE...
{
	local name=$1 file

	shift
	for file; do
		find /sys/fs/cgroup \( -path "*/moat-$test_id/$name/$file" -o \
			-path "*/moat-$name-$test_id.scope/$file" \)
	done
}

group_file() # NAME FILE...: what they say
{
	group_files "$@" | xargs cat
}

# Groups and units of this test, and the parents made for them.
no_leftover_groups()
{
	! find /sys/fs/cgroup -depth -type d -name "*$test_id*" | grep .
}
