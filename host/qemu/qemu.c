/* Plain QEMU processes, found by name or by their QMP socket. */
#include "host/qemu/qemu.h"

#include <sys/stat.h>

static struct host *create(const struct host_context *context)
{
    struct qemu *vm = must(calloc(1, sizeof(*vm)));

    vm->base = (struct host){ .ops = &qemu_host, .context = *context };
    disk_images_init(&vm->target.images, &vm->base.context);
    return &vm->base;
}

static void free_host(struct host *host)
{
    struct qemu *vm = qemu_of(host);

    if (!host)
        return;
    qemu_disconnect(vm);
    qemu_source_done(vm);
    qemu_target_done(vm);
    free(vm->socket);
    free(vm);
}

/* Everything that a move needs is asked for by its checks. */
static bool available(struct error *err)
{
    (void)err;
    return true;
}

static void count_name(void *arg, const struct qemu_process *process)
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
    if (qemu_process_of_others(vm))
        return true;
    qemu_process_each(count_name, &vm);
    return vm == NULL;
}

static void add_name(void *arg, const struct qemu_process *process)
{
    if (process->name)
        cJSON_AddItemToArray(arg, must(cJSON_CreateString(process->name)));
}

static void vms(cJSON *names)
{
    qemu_process_each(add_name, names);
}

static bool reattach(struct host *host, const cJSON *records, struct error *err)
{
    const cJSON *record;

    cJSON_ArrayForEach (record, records)
        if (!strcmp(json_string_or(record, "fact", ""), "source"))
            return qemu_source_reattach(qemu_of(host), records, record, err);
    return qemu_target_reattach(qemu_of(host), records, err);
}

const struct host_ops qemu_host = {
    .name = "qemu",
    .summary = "a QEMU process with a QMP socket (qemu:NAME, qemu:/path/to/qmp.sock)",
    .create = create,
    .free = free_host,
    .available = available,
    .knows = knows,
    .vms = vms,

    .attach = qemu_attach,
    .describe = qemu_describe,
    .plan_send = qemu_plan_send,
    .remember = qemu_remember,
    .mirror_start = qemu_mirror_start,
    .mirror_state = qemu_mirror_state,
    .mirror_wait = qemu_mirror_wait,
    .mirror_stop = qemu_mirror_stop,
    .ram_send = qemu_ram_send,
    .source_mark = qemu_source_mark,
    .source_is_unwritten = qemu_source_is_unwritten,
    .paused_at = qemu_paused_at,
    .paused_for = qemu_paused_for,
    .source_state = qemu_source_state,
    .source_unchanged = qemu_source_unchanged,
    .source_resume = qemu_source_resume,
    .source_fence = qemu_source_fence,
    .source_unfence = qemu_source_unfence,
    .nobody_else = qemu_nobody_else,
    .source_destroy = qemu_source_destroy,

    .check_target = qemu_check_target,
    .plan_recv = qemu_plan_recv,
    .create_machine = qemu_create_machine,
    .start_device_model = qemu_start_device_model,
    .open_lane = qemu_open_lane,
    .flush_disks = qemu_flush_disks,
    .ram_listen = qemu_ram_listen,
    .ram_recv = qemu_ram_recv,
    .seal = qemu_seal,
    .remember_sealed = qemu_remember_sealed,
    .copy_never_ran = qemu_copy_never_ran,
    .disks_have_names = qemu_disks_have_names,
    .before_resume = qemu_before_resume,
    .target_resume = qemu_target_resume,
    .after_resume = qemu_after_resume,
    .target_state = qemu_target_state,
    .runs_again = qemu_runs_again,
    .target_destroy = qemu_target_destroy,
    .disks_discard = qemu_disks_discard,
    .disks_keep = qemu_disks_keep,

    .reattach = reattach,
};
