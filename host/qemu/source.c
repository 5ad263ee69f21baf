/* The source's side: find the VM, read it, watch its mirrors, let it go on or end it. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/qemu/paths.h"
#include "host/qemu/qemu.h"
#include "host/qemu/shared.h"
#include "xmig/process.h"

enum {
    QUIT_MS = 10000,
    KILL_MS = 10000,
    RESUME_MS = 10000,
    POLL_MS = 50,
};

/* ---- attach ---- */

/* A socket's path may mean something else here than in QEMU's name space. */
static bool connect_to(struct qemu *vm, const char *path, pid_t pid, struct error *err)
{
    struct qmp *q = qmp_connect(vm->base.context.loop, path, QMP_CONNECT_MS, err);

    if (!q)
        return false;
    if (pid && qmp_peer_pid(q) && qmp_peer_pid(q) != pid) {
        qmp_free(q);
        return error_set(err, ERROR_REFUSED, "at '%s' another process listens, not %d", path,
                         (int)pid);
    }
    vm->q = q;
    vm->socket = must(strdup(path));
    return true;
}

static bool attach_by_socket(struct qemu *vm, const char *path, struct error *err)
{
    pid_t pid;

    if (!connect_to(vm, path, 0, err))
        return false;
    pid = qmp_peer_pid(vm->q);
    if (pid == 0)
        return error_set(err, ERROR_REFUSED, "the QEMU at '%s' is not a process of this host", path);
    return qemu_process_read(pid, &vm->source.process, err);
}

static bool attach_by_name(struct qemu *vm, const char *name, struct error *err)
{
    struct qemu_process *process = &vm->source.process;
    AUTO_JSON cJSON *sockets = NULL;
    const cJSON *socket;

    if (!qemu_process_find(name, process, err))
        return false;
    sockets = argv_qmp_sockets(process->words, process->cwd);
    if (!sockets->child)
        return error_set(err, ERROR_REFUSED,
                         "QEMU '%s' (process %d) has no QMP socket that xmig can reach: start it "
                         "with -qmp unix:PATH,server=on,wait=off",
                         name, (int)process->pid);
    cJSON_ArrayForEach (socket, sockets)
        if (connect_to(vm, socket->valuestring, process->pid, err))
            return true;
    return false;
}

static bool check_runs(struct qemu *vm, struct error *err)
{
    struct qmp_status status;

    if (!qmp_query_status(vm->q, &status, err))
        return false;
    if (!status.running)
        return error_set(err, ERROR_REFUSED,
                         "the VM does not run (QEMU says '%s'): only a running VM is moved",
                         status.text);
    return true;
}

/* QEMU knows of devices that cannot be moved. */
static bool check_blockers(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *migration = qmp_query_migrate(vm->q, err);
    const cJSON *reasons = cJSON_GetObjectItemCaseSensitive(migration, "blocked-reasons");
    const char *status = json_string_or(migration, "status", "none");

    if (!migration)
        return false;
    if (cJSON_IsArray(reasons) && cJSON_IsString(reasons->child))
        return error_set(err, ERROR_REFUSED, "QEMU cannot move this VM: %s",
                         reasons->child->valuestring);
    if (!strcmp(status, "none") || !strcmp(status, "completed") || !strcmp(status, "failed") ||
        !strcmp(status, "cancelled"))
        return true;
    return error_set(err, ERROR_REFUSED, "the VM is being moved by somebody else (migration '%s')",
                     status);
}

static bool check_jobs(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *jobs = qmp_query_block_jobs(vm->q, err);
    const char *job;

    if (!jobs || !jobs->child)
        return jobs != NULL;
    job = json_string_or(jobs->child, "device", "?");
    if (!strncmp(job, "xmig-", 5))
        return error_set(err, ERROR_REFUSED,
                         "a mirror of another xmig is at work on this VM ('%s'): see 'xmig list' "
                         "and 'xmig recover'",
                         job);
    return error_set(err, ERROR_REFUSED,
                     "the block job '%s' is at work on this VM: end it, or wait for its end", job);
}

bool qemu_attach(struct host *host, const char *name, struct error *err)
{
    struct qemu *vm = qemu_of(host);
    struct source *source = &vm->source;

    if (strchr(name, '/') ? !attach_by_socket(vm, name, err) : !attach_by_name(vm, name, err))
        return false;
    vm->pid = source->process.pid;
    vm->start_time = source->process.start_time;
    source->name = must(strdup(source->process.name ? source->process.name : "vm"));
    if (!check_runs(vm, err) || !check_blockers(vm, err) || !check_jobs(vm, err))
        return false;
    qmp_guard(vm->q, true);
    return true;
}

/* ---- describe: what must not be guessed is asked ---- */

static bool read_machine(struct qemu *vm, struct error *err)
{
    static const char suffix[] = "-machine";
    AUTO_JSON cJSON *type = NULL;
    cJSON *arguments = must(cJSON_CreateObject());
    size_t len;

    cJSON_AddStringToObject(arguments, "path", "/machine");
    cJSON_AddStringToObject(arguments, "property", "type");
    if (!qmp_call(vm->q, "qom-get", arguments, &type, err))
        return false;
    if (!cJSON_IsString(type))
        return error_set(err, ERROR_PROTOCOL, "QEMU does not tell its machine's type");
    len = strlen(type->valuestring);
    if (len > strlen(suffix) && !strcmp(type->valuestring + len - strlen(suffix), suffix))
        len -= strlen(suffix);
    free(vm->source.machine);
    vm->source.machine = must(strndup(type->valuestring, len));
    return true;
}

static bool read_accelerator(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *kvm = NULL;

    if (!qmp_call(vm->q, "query-kvm", NULL, &kvm, err))
        return false;
    vm->source.accelerator = json_true(kvm, "enabled") ? "kvm" : "tcg";
    return true;
}

static bool read_memory(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *summary = NULL;

    if (!qmp_call(vm->q, "query-memory-size-summary", NULL, &summary, err))
        return false;
    if (!json_uint(summary, "base-memory", &vm->source.memory, err))
        return error_prefix(err, "query-memory-size-summary");
    vm->source.memory += json_uint_or(summary, "plugged-memory", 0);
    return true;
}

static bool has_string(const cJSON *array, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, array)
        if (!strcmp(item->valuestring, text))
            return true;
    return false;
}

static cJSON *present_devices(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *children = NULL;
    cJSON *arguments = must(cJSON_CreateObject());
    cJSON *ids;
    const cJSON *child;

    cJSON_AddStringToObject(arguments, "path", "/machine/peripheral");
    if (!qmp_call(vm->q, "qom-list", arguments, &children, err))
        return NULL;
    ids = must(cJSON_CreateArray());
    cJSON_ArrayForEach (child, children)
        if (!strncmp(json_string_or(child, "type", ""), "child<", 6))
            cJSON_AddItemToArray(ids, cJSON_CreateString(json_string_or(child, "name", "?")));
    return ids;
}

/* The target is started with the command line: what was plugged in or out since does not fit. */
static bool check_devices(struct qemu *vm, struct error *err)
{
    AUTO_JSON cJSON *said = argv_device_ids(vm->source.process.words);
    AUTO_JSON cJSON *present = present_devices(vm, err);
    const cJSON *id;

    if (!present)
        return false;
    cJSON_ArrayForEach (id, present)
        if (!has_string(said, id->valuestring))
            return error_set(err, ERROR_REFUSED,
                             "the device '%s' was plugged in after the VM's start: unplug it first",
                             id->valuestring);
    cJSON_ArrayForEach (id, said)
        if (!has_string(present, id->valuestring))
            return error_set(err, ERROR_REFUSED,
                             "the device '%s' was unplugged after the VM's start: plug it in again "
                             "first",
                             id->valuestring);
    return true;
}

static bool rewrite_command_line(struct qemu *vm, struct argv_disk *disks, struct error *err)
{
    struct source *source = &vm->source;
    struct argv_vm line = {
        .cwd = source->process.cwd,
        .name = source->name,
        .new_name = vm->base.context.options.new_name,
        .machine = source->machine,
        .accelerator = source->accelerator,
        .disks = disks,
        .disk_count = vm->base.context.options.mirrors_disks ? source->disk_count : 0,
    };

    for (size_t i = 0; i < line.disk_count; i++)
        disks[i] = (struct argv_disk){ .paths = source->disks[i].paths,
                                       .target = source->disks[i].target,
                                       .format = source->disks[i].format };
    argv_result_done(&source->argv);
    return argv_rewrite(source->process.words, &line, &source->argv, err);
}

static bool is_image(const struct source *source, const char *path)
{
    AUTO_FREE char *real = path_real("/", path);

    for (size_t i = 0; i < source->disk_count; i++)
        if (!strcmp(source->disks[i].paths[0], real))
            return true;
    return false;
}

/* The size tells one ISO from another of the same name; a shared image's may change. */
static cJSON *needs_with_sizes(const struct source *source)
{
    cJSON *needs = must(cJSON_CreateArray());
    const cJSON *path;
    struct stat st;

    cJSON_ArrayForEach (path, source->argv.needs) {
        cJSON *need = must(cJSON_CreateObject());

        cJSON_AddStringToObject(need, "path", path->valuestring);
        if (stat(path->valuestring, &st) == 0 && S_ISREG(st.st_mode) &&
            !is_image(source, path->valuestring))
            json_add_uint(need, "size", (uint64_t)st.st_size);
        cJSON_AddItemToArray(needs, need);
    }
    return needs;
}

static bool describe_disk(struct qemu *vm, const struct source_disk *disk,
                          const struct argv_disk *moved, cJSON *disks, struct error *err)
{
    cJSON *params = source_disk_params(disk, err);

    if (!params)
        return false;
    cJSON_AddItemToArray(disks, params);
    if (!vm->base.context.options.mirrors_disks)
        return shared_offer(disk->paths[0], vm->base.context.id, params, &vm->source.nonce, err);
    cJSON_AddStringToObject(params, "format", moved->format_at_target);
    if (!strcmp(moved->format_at_target, "qcow2") && !strcmp(disk->format, "qcow2"))
        cJSON_AddItemToObject(params, "options", cJSON_Duplicate(disk->options, true));
    return true;
}

static void remove_nonce(struct qemu *vm)
{
    AUTO_FREE char *path = steal(vm->source.nonce);

    if (path)
        unlink(path);
}
