# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Table options by dmsetup: what is refused and with which words, how they are shown, what the queue
# makes of them. For tests/kmod/run, whose functions it uses.

# option_refused WORDS ERROR
option_refused() {
	refuses "0 2048 user 0 2048 a $1" "$2"
}

options_are_refused() {
	local bad range='must be off, on or MAX, in sectors'
	case $1 in
	count)
		local e='The number of option words is wrong'
		for bad in x -1 99 '1' '3 on_close error' '2 on_close error x' '0 read_only'; do
			option_refused "$bad" "$e"
		done
		;;
	unknown)
		for bad in '1 x' '2 on_Close error' '1 -' '2 max_outstandin 1' '3 on_close error x'; do
			option_refused "$bad" 'Unknown option'
		done
		;;
	twice)
		option_refused '4 on_close error on_close error' 'An option is given twice'
		option_refused '2 read_only read_only' 'An option is given twice'
		;;
	valueless)
		option_refused '1 on_close' 'The last option lacks its value'
		option_refused '3 on_close error block_size' 'The last option lacks its value'
		;;
	values)
		for bad in 0 -1 +1 x 1x 65537 4294967297; do
			option_refused "2 max_outstanding $bad" 'max_outstanding must be 1 to 65536'
		done
		for bad in '' Error fail 1; do
			[[ -z $bad ]] || option_refused "2 on_close $bad" 'on_close must be error or requeue'
		done
		option_refused '2 volatile_cache yes' 'volatile_cache must be on or off'
		for bad in -1 +1 none 86400001 1s; do
			option_refused "2 attach_timeout_ms $bad" 'attach_timeout_ms must be 0 to 86400000'
			option_refused "2 request_timeout_ms $bad" 'request_timeout_ms must be 0 to 86400000'
		done
		for bad in 0 no 8: :8 8:0 8:3 8:16 12:8 8:8:8 8386561 -8; do
			option_refused "2 discard $bad" 'discard must be off, on, MAX or MAX:GRAIN'
		done
		for bad in 0 no 8:8 8386561 -8; do
			option_refused "2 secure_erase $bad" "secure_erase $range"
			option_refused "2 write_zeroes $bad" "write_zeroes $range"
		done
		for bad in 0 256 513 1000 8192 4k; do
			option_refused "2 block_size $bad" 'block_size must be a power of two, 512 to the page size'
		done
		for bad in 0 3 1025 x; do
			option_refused "2 max_io_kb $bad" 'max_io_kb must be 4 to 1024'
		done
		;;
	clashes)
		option_refused '1 read_only' 'read_only needs a table that is loaded read-only'
		refuses '0 2049 user 0 2049 a 2 block_size 1024' \
			"The target's start and length must be multiples of block_size"
		option_refused '4 block_size 4096 max_io_kb 6' 'max_io_kb must be a multiple of block_size'
		option_refused '4 block_size 4096 discard 12' 'discard must be in multiples of block_size'
		option_refused '4 block_size 4096 discard 16:4' 'discard must be in multiples of block_size'
		option_refused '4 block_size 4096 secure_erase 7' 'secure_erase must be in multiples of block_size'
		option_refused '4 block_size 4096 write_zeroes 7' 'write_zeroes must be in multiples of block_size'
		;;
	esac
}

# shown_as WORDS SHOWN [OPTION...]: how a table with these options is shown, and that it loads again.
shown_as() {
	local words=$1 shown=$2 table
	shift 2
	dmsetup create shown "$@" --table "0 2048 user 0 2048 shown $words"
	table=$(dmsetup table shown)
	dmsetup remove shown
	is "$table" "0 2048 user 0 2048 shown$shown"
	dmsetup create shown "$@" --table "$table"
	is "$(dmsetup table shown)" "$table"
	dmsetup remove shown
}

options_are_shown() {
	local all
	shown_as '' ''
	shown_as '0' ''
	# what is as it is without being said is not shown
	all='on_close error volatile_cache on attach_timeout_ms 0 request_timeout_ms 0 discard on '
	all+='secure_erase on write_zeroes 8386560 block_size 512 max_io_kb 1024 max_outstanding 7'
	shown_as "20 $all" ' 2 max_outstanding 7'
	all='max_outstanding 64 on_close requeue volatile_cache off attach_timeout_ms 30000 '
	all+='request_timeout_ms 5000 discard 2048:8 secure_erase off write_zeroes 4096 block_size 4096 '
	all+='max_io_kb 512'
	shown_as "20 $all" " 20 $all"
	shown_as '1 read_only' ' 1 read_only' --readonly
	shown_as '3 read_only on_close requeue' ' 3 on_close requeue read_only' --readonly
	shown_as '2 discard off' ' 2 discard off'
}

# limit NAME: of the device called `limits`.
limit() {
	cat "/sys/dev/block/$(dmsetup info -c --noheadings -o major,minor limits)/queue/$1"
}

options_reach_the_queue() {
	dmsetup create limits --table '0 2048 user 0 2048 limits 8 discard 2048:64 secure_erase 512 write_zeroes 1024 block_size 4096'
	is "$(limit logical_block_size)" 4096
	is "$(limit physical_block_size)" 4096
	is "$(limit minimum_io_size)" 4096
	is "$(limit discard_granularity)" 32768
	is "$(limit discard_max_bytes)" 1048576
	is "$(limit discard_max_hw_bytes)" 1048576
	is "$(limit write_zeroes_max_bytes)" 524288
	dmsetup remove limits

	dmsetup create limits --table '0 2048 user 0 2048 limits 6 discard off secure_erase off write_zeroes off'
	is "$(limit discard_max_bytes)" 0
	is "$(limit discard_granularity)" 0
	is "$(limit write_zeroes_max_bytes)" 0
	dmsetup remove limits
}

# A write that the target itself refuses: one that is in the page cache already comes through. The device
# is called ro, its node ro-next.
read_only_refuses() {
	create ro 2048
	exec {device}<>/dev/mapper/ro
	dd if=/dev/zero of="/proc/self/fd/$device" bs=4k count=1 conv=notrunc status=none
	dmsetup load ro --readonly --table '0 2048 user 0 2048 ro-next 1 read_only'
	# without the device, which it would keep busy
	eval "serve ro-next 2048 1 0 $device>&-"
	dmsetup suspend --noflush --nolockfs ro
	dmsetup resume ro
	[[ $(dmsetup info -c --noheadings -o attr ro) == *r* ]]
	fails sync "/proc/self/fd/$device"
	exec {device}>&-
}

read_only_takes_no_write() {
	read_only_refuses
	dd if=/dev/mapper/ro of=/dev/null bs=4k count=4 iflag=direct status=none
	remove_and_join ro
	is "$(served ro-next writes)" 0
	(($(served ro-next reads) > 0))
}

what_read_only_refuses_is_counted() {
	local refused
	read_only_refuses
	refused=$(dmsetup message ro 0 stats | awk '$1 == "write" { print $5 }')
	((refused > 0))
	is "$(dmsetup status ro | awk '{ print $8 }')" "$refused"
	remove_and_join ro
}
