/* QEMU without a manager: a VM is a process, named by QEMU's -name or by its QMP socket. */
#include "host/qemu/qemu.h"

#include <sys/stat.h>

#include "host/qemu/argv/argv.h"
#include "xmig/cleanup.h"

/* Set the name at `arg` to NULL when a process has it. */
static void clear_if_found(void *arg, const struct qemu_process *process)
{
    const char **name = arg;

    if (*name && process->name && !strcmp(process->name, *name))
        *name = NULL;
}

static bool knows(const char *vm)
{
    struct stat st;

    if (strchr(vm, '/'))
        return stat(vm, &st) == 0 && S_ISSOCK(st.st_mode);
    if (qemu_process_of_others(vm)) /* claimed, so that a later error can advise sudo */
        return true;
    qemu_process_each(clear_if_found, &vm);
    return vm == NULL;
}

static void add_name(void *arg, const struct qemu_process *process)
{
    if (process->name)
        cJSON_AddItemToArray(arg, must(cJSON_CreateString(process->name)));
}

struct telling_apart {
    const cJSON *all;
    cJSON *names;
};

static bool is_shared(const cJSON *all, const char *name)
{
    const cJSON *each;
    int count = 0;

    cJSON_ArrayForEach (each, all)
        count += !strcmp(each->valuestring, name);
    return count > 1;
}

/* Two VMs of one name are told apart by their sockets. */
static void add_distinct(void *arg, const struct qemu_process *process)
{
    const struct telling_apart *apart = arg;
    AUTO_JSON cJSON *sockets = argv_qmp_sockets(process->words, process->start_dir);
    const char *name = process->name;

    if (!name)
        return;
    if (is_shared(apart->all, name) && sockets->child)
        name = sockets->child->valuestring;
    cJSON_AddItemToArray(apart->names, must(cJSON_CreateString(name)));
}

static void vms(cJSON *names)
{
    AUTO_JSON cJSON *all = must(cJSON_CreateArray());
    struct telling_apart apart = { all, names };

    qemu_process_each(add_name, all);
    qemu_process_each(add_distinct, &apart);
}

const struct hypervisor qemu_hypervisor = {
    .name = "qemu",
    .summary = "a QEMU process with a QMP socket (qemu:NAME, qemu:/path/to/qmp.sock)",
    .knows = knows,
    .vms = vms,
    .guest_new = qemu_guest_new,
    .copy_new = qemu_copy_new,
};
