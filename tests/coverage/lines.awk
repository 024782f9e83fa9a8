# SPDX-License-Identifier: Apache-2.0
#
# gcov's listing in; out, for each line with code in a source of the module: file, line, 1 if it ran, the
# function, and the text, with tabs between. A header's line comes once for each file that has it.
# -v objects: the directory of the sources, with a slash at its end.

# COUNT:LINE:TEXT, where TEXT may hold anything.
{
	split($0, field, ":")
	count = field[1]
	line = field[2] + 0
	text = $0
	sub(/^[^:]*:[^:]*:/, "", text)
	gsub(/[ *]/, "", count)
}

# "        -:    0:Source:PATH"
line == 0 {
	if (text ~ /^Source:/) {
		path = substr(text, 8)
		ours = index(path, objects) == 1
		file = substr(path, length(objects) + 1)
		if (file ~ /\// || file ~ /\.mod\.c$/ || file ~ /^\./)
			ours = 0
		name = ""
	}
	next
}

!ours { next }

# A function begins in the first column, and nothing else there has a parenthesis and no semicolon.
text ~ /^[a-z].*\(/ && text !~ /;$/ {
	name = text
	sub(/\(.*/, "", name)
	sub(/.*[ *]/, "", name)
}

count ~ /^[0-9#=]/ {
	sub(/^[ \t]+/, "", text)
	printf "%s\t%d\t%d\t%s\t%s\n", file, line, count ~ /^[0-9]/, name, text
}
