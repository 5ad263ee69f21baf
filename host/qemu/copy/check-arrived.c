/* The command line as it arrived: the table of options is walked once more, and what QEMU would
 * start, write and make is looked at.
 */
#include <sys/stat.h>

#include "host/qemu/copy/copy.h"
#include "host/system/own-place.h"
#include "xmig/paths.h"
#include "xmig/text.h"

static bool has(const cJSON *list, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list)
        if (!strcmp(item->valuestring, text))
            return true;
    return false;
}

/* What the source says that the line makes is what is removed after a failure. */
static bool are_found(const cJSON *said, const cJSON *found, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, said)
        if (!has(found, item->valuestring))
            return error_set(err, ERROR_REFUSED,
                             "the source says that the VM's QEMU makes '%s', and its command line "
                             "does not say so",
                             item->valuestring);
    return true;
}

/* QEMU starts it with its own rights: whoever can change it has them. */
static bool check_program(const struct qemu_copy *vm, const char *path, struct error *err)
{
    AUTO_FREE char *real = path_real("/", path);
    struct stat st;

    if (stat(real, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, ERROR_REFUSED, "QEMU would start '%s', which is no program here",
                         path);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, ERROR_REFUSED,
                         "QEMU would start '%s', which others may change (mode %04o)", path,
                         st.st_mode & 07777);
    return own_place_permits(real, vm->uid, S_IFREG, err) ||
           error_prefix(err, "QEMU would start '%s'", path);
}

static bool check_files(const struct qemu_copy *vm, struct error *err)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, vm->line.programs)
        if (!error_goes_on(err, check_program(vm, item->valuestring, err)))
            return false;
    cJSON_ArrayForEach (item, vm->line.outputs)
        if (!error_goes_on(err, own_place_permits(item->valuestring, vm->uid, S_IFREG, err)))
            return false;
    cJSON_ArrayForEach (item, vm->line.sockets)
        if (!error_goes_on(err, own_place_permits(item->valuestring, vm->uid, S_IFSOCK, err)))
            return false;
    return true;
}

bool qemu_check_arrived(struct qemu_copy *vm, struct error *err)
{
    const struct qemu_machine *qemu = &vm->params.qemu;
    /* The words of shared disks are the source's own. */
    const struct disk_params *disks =
        vm->base.context.options.mirrors_disks ? vm->images.disks : NULL;

    argv_result_done(&vm->line);
    return error_goes_on(err, argv_arrived(qemu->words, disks, qemu->machine, qemu->accelerator,
                                           &vm->line, err)) &&
           error_goes_on(err, are_found(qemu->outputs, vm->line.outputs, err)) &&
           error_goes_on(err, are_found(qemu->sockets, vm->line.sockets, err)) &&
           error_goes_on(err, are_found(qemu->pidfiles, vm->line.pidfiles, err)) &&
           check_files(vm, err);
}

static void plan_port(const struct qemu_port *port, struct plan *plan)
{
    unsigned first = (unsigned)port->port, last = (unsigned)port->to;
    AUTO_FREE char *numbers = first == last ? formatted("port %u", first)
                                            : formatted("a port from %u to %u", first, last);

    plan_say(plan, "QEMU listens at %s, %s%s (%s)%s", *port->host ? port->host : "every address",
             numbers, port->udp ? " of UDP" : "", port->what,
             port->open ? ": whoever connects there needs no password" : "");
}

void qemu_plan_line(const struct qemu_copy *vm, struct plan *plan)
{
    struct qemu_port port;
    const cJSON *item;

    fields_each (item, vm->line.ports, qemu_port_fields, &port)
        plan_port(&port, plan);
    cJSON_ArrayForEach (item, vm->line.programs)
        plan_say(plan, "QEMU starts '%s'", item->valuestring);
}
