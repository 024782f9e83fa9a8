/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libdmuser, the client side: calls to dmuserd, and their replies.
 *
 * dmuserd speaks Varlink. Its methods, their parameters and errors are written down in one place, the
 * interface description io.dmuser.varlink; this library carries any of them, and descriptors both
 * ways. JSON is json-c's struct json_object.
 *
 * Errors. Every function that can fail returns 0, or a negative errno, or a positive outcome that its
 * comment names. What is called ret_x is written on 0, and on a positive outcome where the comment says
 * so, never otherwise. The library prints and logs nothing, keeps no global state, installs no signal
 * handler and raises no SIGPIPE.
 *
 * Blocking. A function that takes timeout_ms may block, for that many milliseconds in all; 0 does not
 * wait, DMUSER_TIMEOUT_INFINITE waits for ever. No other function blocks.
 *
 * Threads. A connection and its replies are for one thread at a time. Different connections share
 * nothing.
 *
 *	struct dmuser_connection *c;
 *	struct dmuser_reply *reply;
 *
 *	if (dmuser_connect(NULL, 5000, &c) == 0) {
 *		if (dmuser_call(c, "io.dmuser.List", NULL, NULL, 0, 5000, &reply) == 0) {
 *			puts(json_object_to_json_string(dmuser_reply_parameters(reply)));
 *			dmuser_reply_free(reply);
 *		}
 *		dmuser_connection_free(c);
 *	}
 */
#ifndef DMUSER_H
#define DMUSER_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct json_object; /* <json-c/json.h> */

struct dmuser_connection;
struct dmuser_reply;

#define DMUSER_ADDRESS_DEFAULT "/run/dmuser/io.dmuser"

/* For timeout_ms: no deadline. */
#define DMUSER_TIMEOUT_INFINITE (-1)

/* A call larger than this, in bytes with its final NUL, is refused by dmuserd and never sent. */
#define DMUSER_CALL_MAX_BYTES (1024 * 1024)

/* A reply larger than this, in bytes, is refused unless dmuser_set_reply_limit() said otherwise. */
#define DMUSER_REPLY_MAX_BYTES (16 * 1024 * 1024)

/* Descriptors that one message can carry at most. */
#define DMUSER_FDS_MAX 16

/* The one positive outcome: the service has answered, and its answer is an error. */
#define DMUSER_REFUSED 1

/* Flags of a call. */
#define DMUSER_CALL_MORE   1u /* asks for several replies; each but the last says that it continues */
#define DMUSER_CALL_ONEWAY 2u /* asks for no reply at all */

/*
 * Connects to dmuserd.
 *
 * address: the path of a Unix socket, with or without "unix:" before it. NULL: the environment variable
 * DMUSER_ADDRESS (not in a set-user-ID program), or else DMUSER_ADDRESS_DEFAULT.
 *
 * On 0, *ret_connection is the caller's, to be given to dmuser_connection_free().
 * -ENOENT or -ECONNREFUSED: nobody listens there. -EACCES: the caller may not connect.
 * -ENAMETOOLONG, -EINVAL: not an address. -ETIMEDOUT: the deadline passed. -ENOMEM and what socket(2)
 * and connect(2) return.
 */
int dmuser_connect(const char *address, int timeout_ms, struct dmuser_connection **ret_connection);

/* Closes the connection; what is leased to it is released by dmuserd. NULL is allowed. */
void dmuser_connection_free(struct dmuser_connection *connection);

/*
 * The connection's socket, for poll(2): POLLIN says that dmuser_receive() has something to read. It stays
 * the connection's: do not read, write or close it.
 */
int dmuser_connection_fd(const struct dmuser_connection *connection);

/* Sets the largest reply that is taken, in bytes (see DMUSER_REPLY_MAX_BYTES). */
void dmuser_set_reply_limit(struct dmuser_connection *connection, size_t max_bytes);

/*
 * Calls a method and waits for its one reply: dmuser_send() without flags, then dmuser_receive(), under
 * one deadline. Returns what they return. After -ETIMEDOUT in waiting, the reply is still owed:
 * dmuser_receive() can go on waiting for it.
 */
int dmuser_call(struct dmuser_connection *connection, const char *method,
		struct json_object *parameters, const int *fds, size_t n_fds, int timeout_ms,
		struct dmuser_reply **ret_reply);

/*
 * Sends a call. One call at a time: the last reply to the one before must have been received.
 *
 * method      with its interface, "io.dmuser.Create"
 * parameters  a JSON object; it stays the caller's and is not changed. NULL: no parameters
 * fds         n_fds descriptors, which stay the caller's, open until the reply has come or not. A
 *             parameter that is a descriptor holds its index in this array
 * flags       DMUSER_CALL_MORE or DMUSER_CALL_ONEWAY, or 0
 *
 * -EBUSY: a reply is still owed; or fds are given, and no reply has come since a one-way call, so that
 * the receiver could not tell whose they are. -E2BIG: larger than DMUSER_CALL_MAX_BYTES. -EINVAL: no
 * method, parameters that are no object, too many fds, or both flags. None of these harms the
 * connection. Anything else ends its use: -ETIMEDOUT (a part may be out), -EPIPE, -ECONNRESET, and what
 * sendmsg(2) returns; then -ENOTCONN for every further call.
 */
int dmuser_send(struct dmuser_connection *connection, const char *method,
		struct json_object *parameters, unsigned int flags, const int *fds, size_t n_fds,
		int timeout_ms);

/*
 * Waits for the next reply to what was sent.
 *
 * On 0 and on DMUSER_REFUSED, *ret_reply is the caller's, to be given to dmuser_reply_free().
 * -ETIMEDOUT: nothing whole has come yet; it can be called again. -EINVAL: no reply is owed.
 * Anything else ends the connection's use: -ECONNRESET (dmuserd has closed), -EPROTO (not a Varlink
 * reply, or descriptors that came with no message's first byte), -EMSGSIZE (larger than the limit),
 * -ENOMEM, and what recvmsg(2) returns; then -ENOTCONN for every further call.
 */
int dmuser_receive(struct dmuser_connection *connection, int timeout_ms,
		   struct dmuser_reply **ret_reply);

/* Frees the reply, its parameters, and closes the descriptors that were not taken. NULL is allowed. */
void dmuser_reply_free(struct dmuser_reply *reply);

/* The error's name, "io.dmuser.NoSuchVolume", or NULL if the call went well. It lives as the reply does. */
const char *dmuser_reply_error(const struct dmuser_reply *reply);

/*
 * The parameters of the answer or of the error: a JSON object, never NULL. It lives as the reply does;
 * json_object_get() makes it live longer.
 */
struct json_object *dmuser_reply_parameters(const struct dmuser_reply *reply);

/* Whether another reply to the same call follows. */
bool dmuser_reply_continues(const struct dmuser_reply *reply);

/*
 * Takes the descriptor of that index (the value of a parameter that is a descriptor) out of the reply. It
 * is the caller's then, and is close-on-exec. Returns the descriptor, or -ENOENT: there is none of that
 * index, or it has been taken.
 */
int dmuser_reply_take_fd(struct dmuser_reply *reply, size_t index);

#ifdef __cplusplus
}
#endif

#endif
