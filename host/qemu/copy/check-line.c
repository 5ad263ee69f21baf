/* What the command line asks of the target besides files: ports to listen at, files of QEMU's own,
 * ways for sound. QEMU would end at its start without them.
 */
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

#include "host/system/program.h"
#include "host/qemu/copy/copy.h"
#include "xmig/text.h"

enum {
    PORT_MAX = 65535
};

static const cJSON *get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

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

static bool check_port(const cJSON *item, struct error *err)
{
    const char *host = json_string_or(item, "host", "");
    const char *what = json_string_or(item, "what", "?");
    bool is_forward = !strcmp(what, "hostfwd");
    uint64_t port = json_uint_or(item, "port", 0);
    uint64_t to = json_uint_or(item, "to", port);
    const char *why = NULL;

    if (port > PORT_MAX || to > PORT_MAX)
        return error_set(err, ERROR_REFUSED, "there is no port %llu (%s)",
                         (unsigned long long)(port > PORT_MAX ? port : to), what);
    for (uint64_t each = port; each == port || each <= to; each++) {
        why = why_taken(host, each, json_true(item, "udp"));
        if (!why)
            return true;
    }
    return error_set(
        err, ERROR_REFUSED,
        "the VM's QEMU listens at %s%sport %llu (%s), which it cannot at the target: %s; end "
        "who does%s",
        host, *host ? " " : "", (unsigned long long)port, what, why,
        is_forward ? ", or take the forwarding away first (hostfwd_remove)" : "");
}

static bool check_ports(const cJSON *ports, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, ports)
        if (!error_goes_on(err, check_port(item, err)))
            return false;
    return true;
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

/* Also in those that the line itself names. */
static bool is_in_named(const cJSON *words, const char *name)
{
    const char *folder = argv_value(words, "L");

    return folder && is_in(folder, name);
}

static bool check_searched(struct qemu_copy *vm, const cJSON *qemu, struct error *err)
{
    const char *const words[] = { vm->program, "-L", "help", NULL };
    const cJSON *searched = get(qemu, "searched");
    AUTO_FREE char *folders = NULL;
    const cJSON *name;

    if (!searched || !searched->child)
        return true;
    if (!program_run(vm->base.context.loop, words, &folders, QEMU_HELP_MS, err))
        return false;
    cJSON_ArrayForEach (name, searched) {
        const char *text = cJSON_IsString(name) ? name->valuestring : "";

        if (*text == '/' ? access(text, R_OK) < 0
                         : !is_in(folders, text) && !is_in_named(get(qemu, "words"), text))
            return error_set(err, ERROR_REFUSED,
                             "the VM needs QEMU's file '%s', which %s does not find at the target",
                             text, vm->program);
    }
    return true;
}

/* ---- the public face ---- */

bool qemu_check_line_with_program(struct qemu_copy *vm, const cJSON *qemu, struct error *err)
{
    const cJSON *driver;

    cJSON_ArrayForEach (driver, get(qemu, "audio"))
        if (cJSON_IsString(driver) &&
            !error_goes_on(err, qemu_check_help(vm, "-audiodev", driver->valuestring, err)))
            return false;
    return error_goes_on(err, check_searched(vm, qemu, err));
}

bool qemu_check_line(const cJSON *qemu, struct error *err)
{
    return check_ports(get(qemu, "ports"), err);
}
