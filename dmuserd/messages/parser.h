/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the supervisor and a parser say to each other, on the SOCK_SEQPACKET pair that the parser was
 * started with (CONFINE_FD_LINK).
 *
 * A parser is used once: for one client connection, or for one backend manifest. The supervisor trusts
 * no byte of what comes back: it checks the size, every enumeration, count and string again, and a
 * message that fails costs the parser its life and its client the connection.
 *
 *   supervisor                       parser
 *   ASSIGN_CLIENT + the socket  ->
 *                               <-   REQUEST, REFUSAL or END (+ the client's descriptors)
 *   NEXT                        ->   (when the request has been answered: replies keep their order)
 *                               <-   REQUEST, …
 *   ASSIGN_MANIFEST + the file  ->
 *                               <-   MANIFEST or REFUSAL; then the parser exits
 */
#pragma once

#include "dmuserd/messages/worker.h"
#include "util/name.h"

#include <stdint.h>

/*
 * Higher with every change of what is said, also where a reserved field gets a meaning: a dmuserd that runs on
 * while the programs on disk are replaced starts parsers of the new ones.
 */
#define PARSER_MESSAGE_VERSION 2
/* A message larger than this is refused; so is one that is not whole this long after its first byte. */
#define PARSER_MESSAGE_MAX_BYTES (1024 * 1024)
#define PARSER_MESSAGE_DEADLINE_MS 10000
/* More descriptors than any method takes; one more and the message is refused. */
#define PARSER_FDS_MAX 4
#define PARSER_TEXT_SIZE 256
/* Why a volume that was made is released again. */
#define PARSER_REASON_SIZE 512

enum parser_command {
	PARSER_ASSIGN_CLIENT = 1,
	PARSER_NEXT,
	PARSER_ASSIGN_MANIFEST,
};

struct parser_order {
	uint32_t version;
	uint32_t command; /* enum parser_command */
};

enum parser_event {
	PARSER_REQUEST = 1,
	PARSER_REFUSAL, /* the client is told, and may go on unless `fatal` */
	PARSER_END,     /* the client has closed */
	PARSER_MANIFEST,
};

/* The methods; the numbers are private to one version of the programs. */
enum parser_method {
	PARSER_METHOD_GET_INFO = 1,               /* org.varlink.service */
	PARSER_METHOD_GET_INTERFACE_DESCRIPTION,
	PARSER_METHOD_PING,                       /* io.dmuser, from here on */
	PARSER_METHOD_CREATE,
	PARSER_METHOD_BIND,
	PARSER_METHOD_RELEASE,
	PARSER_METHOD_DESCRIBE,
	PARSER_METHOD_LIST,
	PARSER_METHOD_SUBSCRIBE,
	PARSER_METHOD_LIST_BACKENDS,
};

enum parser_refusal {
	PARSER_REFUSED_SYNTAX = 1,          /* not a Varlink call at all; fatal. No reply but a close */
	PARSER_REFUSED_INVALID_PARAMETER,   /* org.varlink.service.InvalidParameter(parameter=text) */
	PARSER_REFUSED_METHOD_NOT_FOUND,    /* org.varlink.service.MethodNotFound(method=text) */
	PARSER_REFUSED_INTERFACE_NOT_FOUND, /* org.varlink.service.InterfaceNotFound(interface=text) */
	PARSER_REFUSED_EXPECTED_MORE,       /* org.varlink.service.ExpectedMore */
};

/* Flags of a call. */
#define PARSER_CALL_MORE 1u
#define PARSER_CALL_ONEWAY 2u

/* "Not given" where a number may be left out. */
#define PARSER_UNSET UINT64_MAX

struct parser_container {
	char id[NAME_CONTAINER_MAX + 8]; /* empty: no container given */
	uint32_t pidfd;                  /* index into the message's descriptors */
	uint32_t reserved;
};

/* Strings are NUL-terminated; empty means "not given" where the interface lets it be left out. */
struct parser_create {
	char name[NAME_VOLUME_MAX + 8];
	char backend[NAME_BACKEND_MAX + 8];
	uint64_t size_bytes; /* or PARSER_UNSET */
	uint32_t block_size; /* bytes; 0: not given */
	uint8_t read_only;
	uint8_t keep;
	uint8_t reserved[2];
	struct parser_container container;
	uint32_t n_options;
	uint32_t reserved2;
	struct worker_option options[WORKER_OPTIONS_MAX];
};

/* Bind, Release, Describe: a volume by name, owner and container; Release also by container alone. */
struct parser_volume {
	char name[NAME_VOLUME_MAX + 8];
	uint64_t owner;      /* a uid, or PARSER_UNSET: the caller's */
	uint64_t timeout_ms; /* Release: for the graceful part; or PARSER_UNSET */
	struct parser_container container; /* Bind: with pidfd; Release, Describe: the id alone */
	char reason[PARSER_REASON_SIZE];   /* Release */
	uint8_t unless_open;		   /* Release */
	uint8_t reserved[7];
};

enum manifest_kind { MANIFEST_STRING = 1, MANIFEST_INTEGER, MANIFEST_BOOLEAN, MANIFEST_SIZE };
enum manifest_resource { MANIFEST_MEMFD = 1, MANIFEST_FILE };

#define MANIFEST_RESOURCES_MAX 4

/* A backend's manifest, as the supervisor keeps it. */
struct parser_manifest {
	char type[NAME_BACKEND_MAX + 8];
	char summary[PARSER_TEXT_SIZE];
	char profile[NAME_BACKEND_MAX + 8]; /* <seccompdir>/<profile>.bpf */
	uint64_t min_size_bytes;
	uint64_t max_size_bytes;
	uint64_t memory_max_bytes; /* of a worker, besides what the volume's memfd holds */
	uint32_t volatile_cache;   /* 1: an answered write may be lost until a FLUSH */
	uint32_t n_resources;
	uint32_t resources[MANIFEST_RESOURCES_MAX]; /* enum manifest_resource */
	uint32_t n_options;
	uint32_t n_threads;        /* request threads a worker may have, 1 to 64 */
	struct {
		char name[NAME_OPTION_MAX + 8];
		char summary[PARSER_TEXT_SIZE];
		uint32_t kind; /* enum manifest_kind */
		uint32_t required;
		int64_t min; /* of a number; of a string: its length */
		int64_t max;
		/* empty, or the name of the resource that this option's value opens: "path" of a file */
		uint32_t opens; /* 0, or the index of the resource + 1 */
		uint32_t reserved;
	} options[WORKER_OPTIONS_MAX];
};

struct parser_message {
	uint32_t version;
	uint32_t event;  /* enum parser_event */
	uint32_t n_fds;  /* descriptors of the client that came with this request */
	uint32_t method; /* REQUEST: enum parser_method */
	uint32_t flags;  /* REQUEST and REFUSAL: PARSER_CALL_… */
	uint32_t refusal;  /* REFUSAL: enum parser_refusal */
	uint32_t fatal;    /* REFUSAL: 1 when the connection cannot go on */
	uint32_t reserved;
	/* REFUSAL: the parameter, method or interface, valid UTF-8, cut to fit;
	 * GET_INTERFACE_DESCRIPTION: the interface asked for */
	char text[PARSER_TEXT_SIZE];
	union {
		struct parser_create create;
		struct parser_volume volume;
		struct parser_manifest manifest;
	};
};
