/* SPDX-License-Identifier: Apache-2.0 */
/* The two parts of world_end_silence(). */
#pragma once

void fake_dm_end_silence(void);
void fake_spawner_end_silence(void);
