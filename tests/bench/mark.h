/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instruction by which a program in the VM tells the plugin instruction-counts that a measurement
 * begins or ends: it moves a number that spells "dmu-mark" into rax.
 */
#ifndef DMUSER_BENCH_MARK_H
#define DMUSER_BENCH_MARK_H

#define MARK_BYTES 0x48, 0xb8, 0x64, 0x6d, 0x75, 0x2d, 0x6d, 0x61, 0x72, 0x6b

#endif /* DMUSER_BENCH_MARK_H */
