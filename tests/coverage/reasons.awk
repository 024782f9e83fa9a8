# SPDX-License-Identifier: Apache-2.0
#
# First the list of what may stay without a run, then what lines.awk wrote: fails if a line that did not run
# is not in the list, or a line of the list has no reason. Says which.

# An entry, "FILE FUNCTION: TEXT", or a reason, with a tab before it, for the entries since the last one.
FILENAME == ARGV[1] {
	if ($0 ~ /^(#|$)/)
		next
	if ($0 ~ /^\t/) {
		unexplained = 0
	} else {
		listed[$0]++
		unexplained++
	}
	last = $0
	next
}

FNR == 1 && unexplained {
	print "no reason: " last
	bad++
}

{
	split($0, field, "\t")
	key = field[1] " " field[4] ": " field[5]
	if (field[3])
		next
	if (listed[key] > 0) {
		listed[key]--
	} else {
		print "did not run, and has no reason: " key
		bad++
	}
}

END {
	exit bad > 0
}
