# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What test scripts share that put file systems and load on a device of the module's: how one is made and checked,
# and what the target says of itself afterwards. Sourced, never run.

# make_target NAME SECTORS: /dev/mapper/NAME. What waits for a server that has ended fails after a minute, and the
# test with it, instead of waiting for good. There is no udevd in the VM: dmsetup makes and removes the node itself.
make_target() {
	DM_DISABLE_UDEV=1 dmsetup create "$1" --table "0 $2 user 0 $2 $1 2 attach_timeout_ms 60000"
}

remove_target() {
	DM_DISABLE_UDEV=1 dmsetup remove --retry "$1"
}

# make_file_system TYPE DEVICE: whatever lay there before.
make_file_system() {
	local force=-f
	[[ $1 != ext4 ]] || force=-F
	"mkfs.$1" -q "$force" "$2"
}

# check_file_system TYPE DEVICE: reads every block that the file system knows of, and changes none.
check_file_system() {
	case $1 in
	ext4) e2fsck -fn "$2" ;;
	xfs) xfs_repair -n "$2" ;;
	btrfs) btrfs check --readonly "$2" ;;
	*) echo "no check is known for $1" && return 1 ;;
	esac
}

# has_had_no_error DEVICE: by the module's own count nothing has failed, was late or is under way, and no channel is
# broken or has gone with what it had.
has_had_no_error() {
	local name line fields
	name=$(dmsetup info --columns --noheadings --options name "$1")
	line=$(dmsetup status "$name")
	echo "status: $line"
	# START LEN user QUEUED OUTSTANDING CHANNELS GENERATION ERRORS FAILING BROKEN DESERTED LOST REPEATED TIMED_OUT
	read -ra fields <<<"$line"
	[[ ${fields[2]} == user && "${fields[*]:3:2}" == '0 0' && "${fields[*]:7:7}" == '0 0 0 0 0 0 0' ]]
}
