/* Listening, by ourselves or by systemd's socket activation. */
#include "transport/listen/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "transport/tls/settings.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    FIRST_GIVEN = 3,
    BACKLOG = 4096
};

/* ---- the address ---- */

static bool split(const char *address, struct tls_place *place, struct error *err)
{
    const char *port, *rest;

    *place = (struct tls_place){ 0 };
    port = place_split(address, &place->host);
    if (!port)
        return error_set(err, ERROR_REFUSED, "'%s' is not [ADDR]:PORT", address);
    place->port = port_parse(port, &rest);
    return (place->port >= 0 && !*rest) || error_set(err, ERROR_REFUSED, "'%s' is no port", port);
}

bool sockets_check(const char *address, struct error *err)
{
    struct tls_place place;
    bool ok = split(address, &place, err);

    tls_place_done(&place);
    return ok;
}

static bool open_one(struct sockets *sockets, const struct addrinfo *found, bool any)
{
    AUTO_CLOSE int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1, only_v6 = !any;

    if (fd < 0 || sockets->count == SOCKETS_MAX)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (found->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6));
    if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return false;
    sockets->fds[sockets->count++] = steal_fd(&fd);
    return true;
}

/* Open the sockets. Without an address one socket listens for IPv4 and IPv6, if this host has IPv6.
 */
static bool open_all(struct sockets *sockets, const struct tls_place *place, const char *address,
                     struct error *err)
{
    bool any = !*place->host;
    AUTO_FREE char *port = formatted("%d", place->port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *found = NULL;
    int status, why = 0;

    if (any) {
        const struct sockaddr_in6 all = { .sin6_family = AF_INET6,
                                          .sin6_port = htons((uint16_t)place->port) };
        const struct addrinfo both = { .ai_family = AF_INET6,
                                       .ai_addr = (struct sockaddr *)&all,
                                       .ai_addrlen = sizeof(all) };

        if (open_one(sockets, &both, true))
            return true;
        hints.ai_family = AF_INET;
    }
    status = getaddrinfo(any ? NULL : place->host, port, &hints, &found);
    if (status)
        return error_set(err, ERROR_REFUSED, "no address of '%s' is known: %s", place->host,
                         gai_strerror(status));
    for (const struct addrinfo *one = found; one; one = one->ai_next)
        if (!open_one(sockets, one, false))
            why = errno;
    freeaddrinfo(found);
    errno = why;
    if (sockets->count > 0)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot listen at '%s': %m%s", address,
                     why == EADDRINUSE ? "; an 'xmig listen' that was asked to end is there until "
                                         "its last move has ended"
                                       : "");
}

/* ---- systemd ---- */

bool sockets_are_given(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");

    return pid && count && atol(pid) == (long)getpid() && atoi(count) > 0;
}

static bool take_given(struct sockets *sockets, struct error *err)
{
    int count = atoi(getenv("LISTEN_FDS"));

    if (count > SOCKETS_MAX)
        return error_set(err, ERROR_REFUSED, "the service manager has given %d sockets; %d is most",
                         count, SOCKETS_MAX);
    for (int fd = FIRST_GIVEN; fd < FIRST_GIVEN + count; fd++) {
        int listens = 0;
        socklen_t size = sizeof(listens);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || !listens)
            return error_set(err, ERROR_REFUSED,
                             "descriptor %d of the service manager is no socket that listens: the "
                             "unit needs Accept=no",
                             fd);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        sockets->fds[sockets->count++] = fd;
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return true;
}

bool sockets_open(struct sockets *sockets, const char *address, struct error *err)
{
    struct tls_place place;
    bool ok;

    *sockets = (struct sockets){ .count = 0 };
    if (!address)
        return take_given(sockets, err);
    ok = split(address, &place, err) && open_all(sockets, &place, address, err);
    tls_place_done(&place);
    return ok;
}

void sockets_close(struct sockets *sockets)
{
    while (sockets->count > 0)
        close(sockets->fds[--sockets->count]);
}

/* ---- who comes ---- */

static void print_v6(const struct in6_addr *address, struct origin *origin)
{
    struct in6_addr network = *address;

    if (IN6_IS_ADDR_V4MAPPED(address)) {
        inet_ntop(AF_INET, &address->s6_addr[12], origin->address, sizeof(origin->address));
        memcpy(origin->group, origin->address, sizeof(origin->group));
        return;
    }
    inet_ntop(AF_INET6, address, origin->address, sizeof(origin->address));
    memset(&network.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &network, origin->group, sizeof(origin->group));
}

int sockets_accept(int listener, struct origin *origin)
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof(address);
    int fd = accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

    *origin = (struct origin){ "?", "?" };
    if (fd < 0)
        return -1;
    if (address.ss_family == AF_INET6) {
        print_v6(&((const struct sockaddr_in6 *)&address)->sin6_addr, origin);
    } else if (address.ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)&address)->sin_addr, origin->address,
                  sizeof(origin->address));
        memcpy(origin->group, origin->address, sizeof(origin->group));
    }
    return fd;
}
