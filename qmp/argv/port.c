/* Collects the ports at which a command line makes QEMU listen, which the target checks to be free,
 * and the hosts to which it makes QEMU connect.
 */
#include "qmp/argv/port.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>

#include "core/field-rows.h"
#include "xmig/text.h"

enum {
    VNC_FIRST = 5900,
    VNC_WEBSOCKET_FIRST = 5700,
    PORT_MAX = 65535
};

#define FIELDS_OF struct qemu_port
const struct field qemu_port_fields[] = {
    TEXT(what),
    TEXT(host),
    NUMBER(port, .max = PORT_MAX),
    NUMBER(to, .max = PORT_MAX),
    FLAG(udp),
    FLAG(open, OPTIONAL),
    { 0 },
};

/* ---- to listen at ---- */

/* By number, or by a service's name ("ssh"). */
static bool to_number(const char *text, unsigned long *number)
{
    const struct servent *service;
    char *end;

    *number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end)
        return *number <= PORT_MAX;
    service = getservbyname(text, NULL);
    if (service)
        *number = ntohs((uint16_t)service->s_port);
    return service != NULL;
}

/* Leaves out what is no port. */
static void add(struct rewriting *r, struct qemu_port found, const char *port, unsigned long first,
                const char *to)
{
    unsigned long number, last;

    if (!port || !to_number(port, &number) || number + first == 0 || number + first > PORT_MAX)
        return;
    if (!found.host)
        found.host = "";
    found.port = found.to = number + first;
    if (to && to_number(to, &last))
        found.to = last < PORT_MAX - first ? last + first : PORT_MAX;
    cJSON_AddItemToArray(r->result->ports, fields_new(qemu_port_fields, &found));
}

/* "HOST:PORT", "[::1]:PORT": the host, which the caller frees, and where the port begins. */
static char *split(const char *address, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;
    bool bracketed = len >= 2 && address[0] == '[' && address[len - 1] == ']';

    *port = colon ? colon + 1 : address;
    return bracketed ? must(strndup(address + 1, len - 2)) : must(strndup(address, len));
}

void rewriting_port(struct rewriting *r, const char *what, const char *host, const char *port,
                    const char *to)
{
    add(r, (struct qemu_port){ what, host, .open = true }, port, 0, to);
}

void rewriting_udp_port(struct rewriting *r, const char *what, const char *host, const char *port)
{
    add(r, (struct qemu_port){ what, host, .udp = true, .open = true }, port, 0, NULL);
}

void rewriting_address(struct rewriting *r, const char *what, const char *address)
{
    const char *port;
    AUTO_FREE char *host = split(address, &port);

    rewriting_port(r, what, host, port, NULL);
}

void rewriting_udp_address(struct rewriting *r, const char *what, const char *address)
{
    const char *port;
    AUTO_FREE char *host = split(address, &port);

    rewriting_udp_port(r, what, host, port);
}

void rewriting_spice_port(struct rewriting *r, const struct keyvals *kv, const char *port)
{
    struct qemu_port found = { "-spice", keyvals_get(kv, "addr"),
                               .open = keyvals_flag(kv, "disable-ticketing") };

    add(r, found, keyvals_get(kv, port), 0, NULL);
}

/* "websocket=on" is at the display's number, too. */
static void add_websocket(struct rewriting *r, const struct keyvals *kv, const char *host,
                          const char *display, bool open)
{
    const char *port = keyvals_get(kv, "websocket");
    struct qemu_port found = { "-vnc websocket", host, .open = open };

    if (port && *port >= '0' && *port <= '9')
        add(r, found, port, 0, NULL);
    else if (port && strcmp(port, "off") != 0)
        add(r, found, display, VNC_WEBSOCKET_FIRST, NULL);
}

void rewriting_vnc_port(struct rewriting *r, const struct keyvals *kv, const char *where)
{
    const char *display;
    AUTO_FREE char *host = split(where, &display);
    bool open = !keyvals_flag(kv, "password") && !keyvals_get(kv, "password-secret") &&
                !keyvals_flag(kv, "sasl");

    if (!strchr(where, ':'))
        return;
    if (keyvals_flag(kv, "reverse")) {
        rewriting_peer(r, "-vnc", host, display);
        return;
    }
    add(r, (struct qemu_port){ "-vnc", host, .open = open }, display, VNC_FIRST,
        keyvals_get(kv, "to"));
    add_websocket(r, kv, host, display, open);
}

/* "tcp:127.0.0.1:2222-10.0.2.15:22" */
static void add_forward(struct rewriting *r, const char *rule)
{
    AUTO_FREE char *from = must(strndup(rule, strcspn(rule, "-")));
    const char *address = strchr(from, ':');
    const char *port;

    if (address) {
        AUTO_FREE char *host = split(address + 1, &port);

        add(r, (struct qemu_port){ "hostfwd", host, .udp = !strncmp(from, "udp:", 4) }, port, 0,
            NULL);
    }
}

/* "tcp:10.0.2.100:80-tcp:192.0.2.1:80": after the dash a character device, as -serial has it */
static void add_guest_forward(struct rewriting *r, const char *rule)
{
    static const char *const schemes[] = { "tcp:", "telnet:", "udp:", NULL };
    const char *to = strchr(rule, '-');

    if (to && word_begins_among(to + 1, schemes))
        rewriting_peer_address(r, "guestfwd", strchr(to, ':') + 1);
}

static void each_forward(struct rewriting *r, const struct keyvals *kv, const char *key,
                         void (*add_one)(struct rewriting *r, const char *rule))
{
    const cJSON *rule;

    for (size_t i = 0; i < kv->count; i++)
        if (kv->items[i].key && !strcmp(kv->items[i].key, key))
            add_one(r, kv->items[i].value);
    cJSON_ArrayForEach (rule, cJSON_GetObjectItemCaseSensitive(kv->json, key))
        add_one(r, json_string_or(rule, "str", ""));
}

void rewriting_forwards(struct rewriting *r, const struct keyvals *kv)
{
    each_forward(r, kv, "hostfwd", add_forward);
    each_forward(r, kv, "guestfwd", add_guest_forward);
}

/* ---- to connect to ---- */

void rewriting_peer(struct rewriting *r, const char *what, const char *host, const char *port)
{
    struct qemu_port peer = { what, host && *host ? host : "localhost", .port = 1, .to = PORT_MAX };
    unsigned long number;

    if (port && to_number(port, &number) && number > 0)
        peer.port = peer.to = number;
    cJSON_AddItemToArray(r->result->peers, fields_new(qemu_port_fields, &peer));
}

/* The port ends at what a character device may say more. */
void rewriting_peer_address(struct rewriting *r, const char *what, const char *address)
{
    AUTO_FREE char *plain = must(strndup(address, strcspn(address, "@,/")));
    const char *port;
    AUTO_FREE char *host = split(plain, &port);

    rewriting_peer(r, what, host, port);
}

void rewriting_peer_anywhere(struct rewriting *r, const char *what)
{
    rewriting_peer(r, what, "*", NULL);
}

/* ---- for people ---- */

static char *numbers_of(const struct qemu_port *port)
{
    if (port->port == port->to)
        return formatted("port %u", (unsigned)port->port);
    if (port->port == 1 && port->to == PORT_MAX)
        return must(strdup("any port"));
    return formatted("a port from %u to %u", (unsigned)port->port, (unsigned)port->to);
}

void ports_plan(const struct argv_result *result, struct plan *plan)
{
    struct qemu_port port;
    const cJSON *item;

    fields_each (item, result->ports, qemu_port_fields, &port) {
        AUTO_FREE char *numbers = numbers_of(&port);

        plan_say(plan, "QEMU listens at %s, %s%s (%s)%s", *port.host ? port.host : "every address",
                 numbers, port.udp ? " of UDP" : "", port.what,
                 port.open ? ": whoever connects there needs no password" : "");
    }
    fields_each (item, result->peers, qemu_port_fields, &port) {
        AUTO_FREE char *numbers = numbers_of(&port);

        plan_say(plan, "QEMU connects to %s, %s (%s)",
                 strcmp(port.host, "*") ? port.host : "whatever this host can reach", numbers,
                 port.what);
    }
}
