# SPDX-License-Identifier: Apache-2.0
#
# What lines.awk wrote, sorted and without repetition: how many lines of each file ran, then those that did not.

{
	if (!($1 in all))
		order[++files] = $1
	all[$1]++
	ran[$1] += $3
	total++
	total_ran += $3
	if (!$3)
		missing[++nr_missing] = sprintf("%s:%d: %s: %s", $1, $2, $4, $5)
}

function row(what, some, of) {
	printf "%-12s %4d of %4d lines, %5.1f %%\n", what, some, of, 100 * some / of
}

END {
	for (i = 1; i <= files; i++)
		row(order[i], ran[order[i]], all[order[i]])
	row("all", total_ran, total)
	for (i = 1; i <= nr_missing; i++)
		print "did not run: " missing[i]
}
