/* One connection, in a child process of the listener's. */
#ifndef XMIG_TRANSPORT_LISTEN_SERVE_H
#define XMIG_TRANSPORT_LISTEN_SERVE_H

#include "transport/listen/tls-context.h"
#include "transport/listen/sockets.h"
#include "transport/tls/fingerprint.h"

/* What the child tells its parent over a SOCK_SEQPACKET socket, one word in each message. */
enum word_kind {
    WORD_KNOWN,  /* authenticated: `peer` is the fingerprint */
    WORD_ASKS,   /* may it start `xmig recv`? Answered by a struct permission */
    WORD_FAILED, /* `text` says why, and the connection ends */
};

struct word {
    enum word_kind kind;
    struct fingerprint peer;
    char text[ERROR_TEXT_MAX];
};

struct permission {
    bool granted;
    char text[256];
};

/* Serve the connection `fd`, whose other end is `origin`, and end the process. */
_Noreturn void serve_connection(const struct tls_context *context, int fd, int parent,
                                const struct origin *origin);

#endif
