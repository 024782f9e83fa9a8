# SPDX-License-Identifier: Apache-2.0
# Turns a text into a C string: each line into one literal.
s/[\\"]/\\&/g
s/^/"/
s/$/\\n"/
