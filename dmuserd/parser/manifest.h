/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend's manifest: the JSON file TYPE.json beside its executable, into a fixed-size message.
 *
 * It is an administrator's file, but read as strictly as a stranger's call and by the same
 * unprivileged process, because the supervisor reads no JSON at all. Makes no system call.
 *
 *   {
 *     "type": "file",                   [a-z][a-z0-9-]*; the executable is dmuser-backend-TYPE
 *     "summary": "…",                   one line for people
 *     "profile": "file",                <seccompdir>/file.bpf
 *     "memory_max_bytes": 33554432,     of one worker, besides what the volume's memfd holds
 *     "size": { "min": 512, "max": … }, of a volume, in bytes; 512 and 2^63 - 1 if left out
 *     "volatile_cache": true,           an answered write may be lost until a FLUSH; the default
 *     "threads": 1,                     that serve requests: 1 to 64; 1 if left out
 *     "resources": ["file"],            what the supervisor opens: "memfd", "file", each once
 *     "options": [{
 *       "name": "path",                 [a-z][a-z0-9_]*
 *       "summary": "…",
 *       "kind": "string",               string, integer, boolean, size
 *       "required": true,               false if left out
 *       "min": 1, "max": 4095,          of a number, or a string's length
 *       "opens": "file"                 this string, required, is that resource's path
 *     }]
 *   }
 */
#pragma once

#include "dmuserd/parser/text.h"

/* Always writes a MANIFEST or a REFUSAL and returns 0; or -ENOMEM. */
int manifest_parse(struct text *text, const char *bytes, size_t size,
		   struct parser_message *ret_message);
