/* `xmig listen`: accepts connections of senders over TLS, and starts `xmig recv` for them or leads
 * them to a living one.
 *
 * Each connection is served by a child process, which is forked when the first byte has come. The
 * parent has no secret of a connection, and reads nothing that comes by one.
 */
#ifndef XMIG_TRANSPORT_LISTEN_H
#define XMIG_TRANSPORT_LISTEN_H

#include <stdint.h>
#include <sys/types.h>

#include "transport/tls/keys.h"

struct listen_limits {
    size_t waiting;      /* connections that have not said a word */
    size_t handshakes;   /* under way, of addresses that nobody has authenticated from lately */
    unsigned per_second; /* … that begin */
    size_t connections;  /* authenticated ones */
    size_t migrations;   /* `xmig recv`s */
    size_t per_peer;     /* … of one peer */
    uint64_t handshake_ms;
    uint64_t known_ms; /* how long an authenticated address counts as known */
};

extern const struct listen_limits listen_default_limits;

struct listen_options {
    const char *address; /* "[ADDR]:PORT"; NULL: the sockets come from the service manager */
    /* Files, as curl's options of these names; NULL: this host's own keys, and whom they trust. */
    const char *cacert, *cert, *key, *crlfile;
    struct keys keys;
    const char *runtime_dir; /* where receivers' doors are */
    const char *state_dir;   /* … and their journals */
    struct listen_limits limits;
    void (*say)(void *arg, const char *text); /* a line for the log */
    void *arg;
};

/* Serve until a signal says that it is enough and all migrations have ended. False: it could not
 * even begin.
 */
bool listen_run(const struct listen_options *options, struct error *err);

#endif
