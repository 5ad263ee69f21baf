/* Where a QEMU listens, and to whom it connects. */
#ifndef XMIG_QMP_ARGV_PORT_H
#define XMIG_QMP_ARGV_PORT_H

#include "qmp/argv/rewriting.h"
#include "xmig/fields.h"
#include "xmig/plan.h"

/* One of the result's `ports` or `peers`. */
struct qemu_port {
    const char *what;  /* the option, for people */
    const char *host;  /* "": all addresses of this host; of a peer "*": any host */
    uint64_t port, to; /* the first that is free of these; of a peer: any of these */
    bool udp;
    bool open; /* whoever connects there is not asked who he is */
};

extern const struct field qemu_port_fields[];

/* ---- ports to listen at; `what` is the option, for people ---- */

/* One of `port` up to `to` (NULL: only that one). */
void rewriting_port(struct rewriting *r, const char *what, const char *host, const char *port,
                    const char *to);
void rewriting_udp_port(struct rewriting *r, const char *what, const char *host, const char *port);
void rewriting_udp_address(struct rewriting *r, const char *what, const char *address);
void rewriting_spice_port(struct rewriting *r, const struct keyvals *kv, const char *port);
void rewriting_address(struct rewriting *r, const char *what, const char *address);
void rewriting_vnc_port(struct rewriting *r, const struct keyvals *kv, const char *where);
void rewriting_forwards(struct rewriting *r, const struct keyvals *kv);

/* ---- hosts to connect to, or to send to ---- */

/* No host: this one. A port that cannot be told is any. */
void rewriting_peer(struct rewriting *r, const char *what, const char *host, const char *port);
void rewriting_peer_address(struct rewriting *r, const char *what, const char *address);
/* Whatever this host can reach. */
void rewriting_peer_anywhere(struct rewriting *r, const char *what);

/* Tell of those of a result. */
void ports_plan(const struct argv_result *result, struct plan *plan);

#endif
