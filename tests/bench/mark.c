// SPDX-License-Identifier: Apache-2.0
/*
 * mark: executes the instruction of mark.h once. Elsewhere than under the plugin it does nothing.
 */
#include "mark.h"

#define AS_TEXT_(...) #__VA_ARGS__
#define AS_TEXT(...) AS_TEXT_(__VA_ARGS__)

int main(void)
{
	__asm__ volatile(".byte " AS_TEXT(MARK_BYTES) ::: "rax");
	return 0;
}
