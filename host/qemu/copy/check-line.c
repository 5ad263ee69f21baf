/* What the command line asks of the target besides files: ports to listen at, files of QEMU's own,
 * ways for sound. QEMU would end at its start without them.
 */
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include "host/qemu/copy/copy.h"
#include "xmig/text.h"

/* ---- ports ---- */

/* As QEMU listens: a port that was left a moment ago is free. */
static bool can_bind(const struct addrinfo *address)
{
    AUTO_CLOSE int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    int on = 1;

    if (fd < 0)
        return false;
    if (address->ai_socktype == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bind(fd, address->ai_addr, address->ai_addrlen) == 0;
}

/* NULL: it is free; else why not. */
static const char *why_taken(const char *host, uint64_t port, bool udp)
{
    struct addrinfo hints = { .ai_family = *host ? AF_UNSPEC : AF_INET,
                              .ai_socktype = udp ? SOCK_DGRAM : SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    const char *why = NULL;
    char service[24];
    int status;

    snprintf(service, sizeof(service), "%llu", (unsigned long long)port);
    status = getaddrinfo(*host ? host : NULL, service, &hints, &found);
    if (status)
        return gai_strerror(status);
    if (!can_bind(found))
        why = strerror(errno);
    freeaddrinfo(found);
    return why;
}

static bool check_port(const struct qemu_port *port, struct error *err)
{
    bool is_forward = !strcmp(port->what, "hostfwd");
    const char *why = NULL;

    for (uint64_t each = port->port; each == port->port || each <= port->to; each++) {
        why = why_taken(port->host, each, port->udp);
        if (!why)
            return true;
    }
    return error_set(
        err, ERROR_REFUSED,
        "the VM's QEMU listens at %s%sport %llu (%s), which it cannot at the target: %s; end "
        "who does%s",
        port->host, *port->host ? " " : "", (unsigned long long)port->port, port->what, why,
        is_forward ? ", or take the forwarding away first (hostfwd_remove)" : "");
}

/* ---- files of QEMU's own ---- */

static bool is_in(const char *folders, const char *name)
{
    AUTO_FREE char *copy = must(strdup(folders));
    char *rest = copy;
    const char *folder;

    while ((folder = strsep(&rest, "\n"))) {
        AUTO_FREE char *path = formatted("%s/%s", folder, name);

        if (*folder && access(path, R_OK) == 0)
            return true;
    }
    return false;
}

/* Is the file in the folder that the command line names with -L? */
static bool is_in_named(const cJSON *words, const char *name)
{
    const char *folder = argv_value(words, "L");

    return folder && is_in(folder, name);
}

static bool check_searched(struct qemu_copy *vm, struct error *err)
{
    const struct qemu_machine *qemu = &vm->params.qemu;
    const char *folders;
    const cJSON *name;

    if (!qemu->searched->child)
        return true;
    folders = qemu_help(vm, "L", "help", err);
    if (!folders)
        return false;
    cJSON_ArrayForEach (name, qemu->searched) {
        const char *text = name->valuestring;

        if (*text == '/' ? access(text, R_OK) < 0
                         : !is_in(folders, text) && !is_in_named(qemu->words, text))
            return error_set(err, ERROR_REFUSED,
                             "the VM needs QEMU's file '%s', which %s does not find at the target",
                             text, vm->program);
    }
    return true;
}

/* ---- the public face ---- */

bool qemu_check_line_with_program(struct qemu_copy *vm, struct error *err)
{
    const cJSON *driver;

    cJSON_ArrayForEach (driver, vm->params.qemu.audio)
        if (!error_goes_on(err, qemu_check_help(vm, "audiodev", driver->valuestring, err)))
            return false;
    return error_goes_on(err, check_searched(vm, err));
}

bool qemu_check_line(const struct qemu_machine *qemu, struct error *err)
{
    struct qemu_port port;
    const cJSON *item;

    fields_each (item, qemu->ports, qemu_port_fields, &port)
        if (!error_goes_on(err, check_port(&port, err)))
            return false;
    return true;
}
