/* The table of ways to reach a peer, and what is the same for all of them. */
#include "transport/internal.h"

#include <stdio.h>
#include <sys/socket.h>

#include "transport/lanes/rate.h"
#include "xmig/cleanup.h"

const struct transport_ops *const transport_schemes[] = {
    &transport_ssh,
    &transport_local,
    &transport_tls,
    NULL,
};

/* Returns what follows "SCHEME:" and "//" in `dest`, or NULL. */
static const char *after_scheme(const char *dest, const char *scheme)
{
    size_t len = strlen(scheme);

    if (strncmp(dest, scheme, len) || dest[len] != ':')
        return NULL;
    dest += len + 1;
    return strncmp(dest, "//", 2) ? dest : dest + 2;
}

/* No scheme at all means ssh, as it does elsewhere. */
static const struct transport_ops *find_scheme(const char *dest, const char **rest,
                                               struct error *err)
{
    const char *colon = strstr(dest, "://");

    for (size_t i = 0; transport_schemes[i]; i++) {
        *rest = after_scheme(dest, transport_schemes[i]->scheme);
        if (*rest)
            return transport_schemes[i];
    }
    *rest = dest;
    if (!colon)
        return &transport_ssh;
    error_set(err, ERROR_REFUSED, "no way '%.*s' to reach a peer is known", (int)(colon - dest),
              dest);
    return NULL;
}

struct transport *transport_new_custom(struct loop *loop, const struct transport_ops *ops,
                                       const char *dest, void *impl,
                                       const struct transport_options *options)
{
    struct transport *transport = must(calloc(1, sizeof(*transport)));

    transport->ops = ops;
    transport->loop = loop;
    transport->dest = must(strdup(dest));
    transport->rest = must(strdup(dest));
    transport->options = *options;
    transport->impl = impl;
    transport->door = must(strdup(""));
    transport->rate = rate_new(options->bandwidth);
    return transport;
}

struct transport *transport_new(struct loop *loop, const char *dest,
                                const struct transport_options *options, struct error *err)
{
    const char *rest;
    const struct transport_ops *ops = find_scheme(dest, &rest, err);
    struct transport *transport;

    if (!ops || !ops->accepts(rest, err)) {
        error_prefix(err, "destination '%s'", dest);
        return NULL;
    }
    transport = transport_new_custom(loop, ops, dest, NULL, options);
    free(transport->rest);
    transport->rest = must(strdup(rest));
    return transport;
}

void transport_free(struct transport *transport)
{
    if (!transport)
        return;
    transport_cut_lanes(transport);
    if (transport->ops->close)
        transport->ops->close(transport);
    rate_free(transport->rate);
    free(transport->dest);
    free(transport->rest);
    free(transport->door);
    free(transport);
}

bool transport_limit(struct transport *transport, uint64_t bytes_per_s)
{
    uint64_t allowed = transport->allowed;

    if (transport->is_lifted)
        return false;
    rate_set(transport->rate,
             allowed && (!bytes_per_s || bytes_per_s > allowed) ? allowed : bytes_per_s);
    if (transport->peer_limits && transport->lanes && !transport->is_limited)
        transport->peer_is_told = true;
    return transport->peer_is_told;
}

bool transport_lift_limit(struct transport *transport)
{
    bool is_told = transport->peer_is_told;

    (void)transport_limit(transport, 0);
    transport->is_lifted = true;
    if (!transport->allowed)
        rate_lift(transport->rate);
    return is_told;
}

void transport_allow(struct transport *transport, uint64_t bytes_per_s)
{
    transport->allowed = bytes_per_s;
    (void)transport_limit(transport, rate_now(transport->rate));
}

uint64_t transport_limited_to(const struct transport *transport)
{
    bool is_kept = transport->is_limited || transport->peer_is_told || !transport->lanes;

    return is_kept ? rate_now(transport->rate) : 0;
}

bool transport_open(struct transport *transport, struct error *err)
{
    return !transport->ops->open || transport->ops->open(transport, err);
}

static struct link *dial(struct transport *transport, bool anew, const char *const words[], int fd,
                         struct error *err)
{
    if (anew && transport->ops->dial_anew)
        return transport->ops->dial_anew(transport, words, fd, err);
    return transport->ops->dial(transport, words, fd, err);
}

struct link *transport_control(struct transport *transport, bool anew, struct error *err)
{
    static const char *const words[] = { "recv", NULL };
    AUTO_CLOSE int ours = -1;
    AUTO_CLOSE int theirs = -1;
    struct link *link;
    int both[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot create a socket: %m");
        return NULL;
    }
    ours = both[0];
    theirs = both[1];
    link = dial(transport, anew, words, theirs, err);
    if (link)
        link->fd = steal_fd(&ours);
    return link;
}

void transport_explain(struct transport *transport, struct link *link, struct error *err)
{
    enum {
        LAST_BREATH_MS = 3000 /* the connection is closed: the link is about to end */
    };

    if (transport->ops->explain && link && link_wait_anyway(link, LAST_BREATH_MS))
        transport->ops->explain(transport, link->status, err);
}

bool transport_make_room(struct transport *transport, size_t lanes, struct error *err)
{
    return !transport->ops->make_room || transport->ops->make_room(transport, lanes, err);
}

void transport_set_ticket(struct transport *transport, const char *id, const char *ticket,
                          const char *door)
{
    free(transport->door);
    transport->door = must(strdup(door ? door : ""));
    snprintf(transport->id, sizeof(transport->id), "%s", id);
    snprintf(transport->ticket, sizeof(transport->ticket), "%s", ticket);
}

bool transport_makes_socket(enum side side, const char *name)
{
    if (side == SIDE_RECV)
        return !strcmp(name, "recv.sock");
    return !strncmp(name, "lane-", 5) || !strncmp(name, "ssh-", 4);
}
