/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a method takes, read from its interface's description (the Varlink text), and what is wrong
 * with a parameter that was refused. Pure. The description comes from the service: one that cannot
 * be read tells nothing.
 */
#pragma once

#include "ctl/object.h"

#define DESCRIPTION_TEXT_SIZE 512

enum description_fault {
	FAULT_UNKNOWN_PARAMETER, /* text: those that the method takes */
	FAULT_MISSING, /* text: its type; also of one that may be left out in other cases */
	FAULT_TYPE,    /* text: its type */
	FAULT_VALUE,   /* text: its type */
};

/*
 * method: without its interface. parameters: what was sent; NULL: nothing. path: of the parameter
 * that was refused, such as container.pidfd. 0, or -ENOENT: the description does not tell.
 */
int description_find_fault(const char *description, const char *method,
			   struct json_object *parameters, const char *path,
			   enum description_fault *ret_fault,
			   char ret_text[static DESCRIPTION_TEXT_SIZE]);
