/* Collects the ports at which a command line makes QEMU listen; the target checks that each is
 * free.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>

#include "host/qemu/argv/rewriters.h"
#include "host/qemu/params.h"

enum {
    VNC_FIRST = 5900,
    VNC_WEBSOCKET_FIRST = 5700,
    PORT_MAX = 65535
};

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

    if (keyvals_flag(kv, "reverse") || !strchr(where, ':'))
        return;
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

void rewriting_forwards(struct rewriting *r, const struct keyvals *kv)
{
    const cJSON *rule;

    for (size_t i = 0; i < kv->count; i++)
        if (kv->items[i].key && !strcmp(kv->items[i].key, "hostfwd"))
            add_forward(r, kv->items[i].value);
    cJSON_ArrayForEach (rule, cJSON_GetObjectItemCaseSensitive(kv->json, "hostfwd"))
        add_forward(r, json_string_or(rule, "str", ""));
}
