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
        return error_set(err, ERROR_REFUSED, "the QEMU at '%s' is not a process of this host",
                         path);
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

/* An option of its own can make a device and call it as the option is called (-debugcon). */
static bool is_said(struct qemu *vm, const cJSON *said, const char *id)
{
    return has_string(said, id) || argv_value(vm->source.process.words, id);
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
        if (!is_said(vm, said, id->valuestring))
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

static bool offer_image(struct qemu *vm, const struct source_disk *disk, cJSON *params,
                        struct error *err)
{
    AUTO_FREE char *proof = NULL;

    if (!shared_offer(disk->paths[0], vm->base.context.id, params, &proof, err))
        return error_prefix(err, "disk '%s'", disk->name);
    if (!vm->source.proofs)
        vm->source.proofs = must(cJSON_CreateArray());
    if (proof)
        cJSON_AddItemToArray(vm->source.proofs, must(cJSON_CreateString(proof)));
    return true;
}

static bool describe_disk(struct qemu *vm, const struct source_disk *disk,
                          const struct argv_disk *moved, cJSON *disks, struct error *err)
{
    cJSON *params = source_disk_params(disk, err);

    if (!params)
        return false;
    cJSON_AddItemToArray(disks, params);
    if (!vm->base.context.options.mirrors_disks)
        return offer_image(vm, disk, params, err);
    cJSON_AddStringToObject(params, "format", moved->format_at_target);
    if (!strcmp(moved->format_at_target, "qcow2") && !strcmp(disk->format, "qcow2"))
        cJSON_AddItemToObject(params, "options", cJSON_Duplicate(disk->options, true));
    return true;
}

static bool describe_disks(struct qemu *vm, const struct argv_disk *moved, cJSON *params,
                           struct error *err)
{
    cJSON *disks = cJSON_AddArrayToObject(params, "disks");

    for (size_t i = 0; i < vm->source.disk_count; i++)
        if (!describe_disk(vm, &vm->source.disks[i], &moved[i], disks, err))
            return false;
    return true;
}

/* Under whose name it shall run there. */
static void describe_user(const struct source *source, cJSON *qemu)
{
    const struct passwd *user = getpwuid(source->process.uid);

    json_add_uint(qemu, "uid", source->process.uid);
    if (user)
        cJSON_AddStringToObject(qemu, "user", user->pw_name);
    cJSON_AddBoolToObject(qemu, "drops_privileges", source->argv.drops_privileges);
}

static bool describe_version(struct qemu *vm, cJSON *qemu, struct error *err)
{
    AUTO_JSON cJSON *version = NULL;
    const cJSON *numbers;

    if (!qmp_call(vm->q, "query-version", NULL, &version, err))
        return false;
    numbers = cJSON_GetObjectItemCaseSensitive(version, "qemu");
    json_add_uint(qemu, "major", json_uint_or(numbers, "major", 0));
    json_add_uint(qemu, "minor", json_uint_or(numbers, "minor", 0));
    return true;
}

static bool describe_machine(struct qemu *vm, cJSON *params, struct error *err)
{
    const struct source *source = &vm->source;
    const char *program = vm->base.context.options.device_model;
    cJSON *qemu = cJSON_AddObjectToObject(params, "qemu");

    cJSON_AddStringToObject(qemu, "program", program ? program : source->process.exe);
    cJSON_AddItemToObject(qemu, "words", cJSON_Duplicate(source->argv.words, true));
    cJSON_AddStringToObject(qemu, "machine", source->machine);
    cJSON_AddStringToObject(qemu, "accelerator", source->accelerator);
    cJSON_AddItemToObject(qemu, "needs", needs_with_sizes(source));
    cJSON_AddItemToObject(qemu, "outputs", cJSON_Duplicate(source->argv.outputs, true));
    cJSON_AddItemToObject(qemu, "sockets", cJSON_Duplicate(source->argv.sockets, true));
    cJSON_AddItemToObject(qemu, "pidfiles", cJSON_Duplicate(source->argv.pidfiles, true));
    describe_user(source, qemu);
    return describe_version(vm, qemu, err);
}

/* The workaround for a fault of QEMU: without KVM a pass that finds only pages that were dirty
 * before loses track of later writes to them. One pass cannot.
 */
static void choose_ram_mode(struct qemu *vm)
{
    enum ram_mode mode = vm->base.context.options.ram;

    if (mode == RAM_AUTO)
        mode = strcmp(vm->source.accelerator, "kvm") ? RAM_ONE_PASS : RAM_LIVE;
    vm->source.ram = mode;
}

static bool read_all(struct qemu *vm, struct error *err)
{
    return read_machine(vm, err) && read_accelerator(vm, err) && read_memory(vm, err) &&
           check_devices(vm, err) && source_disks_read(vm, err);
}

bool qemu_describe(struct host *host, cJSON *params, struct error *err)
{
    struct qemu *vm = qemu_of(host);
    const char *new_name = host->context.options.new_name;
    AUTO_FREE struct argv_disk *disks = NULL;

    if (!read_all(vm, err))
        return false;
    disks = must(calloc(vm->source.disk_count + 1, sizeof(*disks)));
    if (!rewrite_command_line(vm, disks, err))
        return false;
    cJSON_AddStringToObject(params, "name", new_name ? new_name : vm->source.name);
    json_add_uint(params, "memory", vm->source.memory);
    choose_ram_mode(vm);
    return describe_disks(vm, disks, params, err) && describe_machine(vm, params, err);
}

/* ---- plan ---- */

static void plan_disk(const struct source_disk *disk, bool mirrored, struct plan *plan)
{
    enum {
        MIB = 1024 * 1024
    };
    const char *beneath = disk->paths[1] ? ", with all that it lies on, as one image" : "";

    if (!mirrored)
        plan_say(plan, "disk %s: '%s' is used by both hosts", disk->name, disk->paths[0]);
    else
        plan_say(plan, "disk %s: '%s' (%llu MiB, %llu MiB of them allocated) becomes '%s'%s",
                 disk->name, disk->paths[0], (unsigned long long)disk->size / MIB,
                 (unsigned long long)disk->allocated / MIB, disk->target, beneath);
}

static void plan_ram(const struct source *source, enum ram_mode asked, struct plan *plan)
{
    bool tcg = strcmp(source->accelerator, "kvm") != 0;

    if (source->ram == RAM_STOPPED)
        plan_say(plan, "the guest is stopped for all of its RAM");
    else if (source->ram == RAM_ONE_PASS)
        plan_say(plan, "RAM goes in one live pass, the rest with the guest stopped%s",
                 asked == RAM_AUTO ? ": it runs without KVM, and QEMU can then lose writes when "
                                     "more passes are made"
                                   : "");
    else if (tcg)
        plan_say(plan, "RAM goes in live passes, as asked: without KVM QEMU can lose writes then");
}

void qemu_plan_send(struct host *host, struct plan *plan)
{
    struct qemu *vm = qemu_of(host);
    const struct source *source = &vm->source;
    const char *cpu = argv_value(source->process.words, "cpu");
    const cJSON *note;

    plan_say(plan, "move QEMU '%s' (process %d, %s, %s, %llu MiB of RAM)", source->name,
             (int)vm->pid, source->machine, source->accelerator,
             (unsigned long long)source->memory >> 20);
    for (size_t i = 0; i < source->disk_count; i++)
        plan_disk(&source->disks[i], host->context.options.mirrors_disks, plan);
    cJSON_ArrayForEach (note, source->argv.notes)
        plan_say(plan, "%s", note->valuestring);
    if (cpu && !strncmp(cpu, "host", 4))
        plan_say(plan,
                 "the guest sees this host's CPU (-cpu %s): the target's must have all of "
                 "its features",
                 cpu);
    plan_ram(source, host->context.options.ram, plan);
}

/* ---- facts for the journal ---- */

static cJSON *image_fact(const char *path)
{
    cJSON *fact = must(cJSON_CreateObject());
    struct stat st = { 0 };

    (void)stat(path, &st);
    cJSON_AddStringToObject(fact, "path", path);
    qemu_add_inode(fact, st.st_ino);
    return fact;
}

/* Block devices and shared images are not renamed. */
static bool is_private(const struct qemu *vm, const struct source_disk *disk)
{
    return vm->base.context.options.mirrors_disks && !disk->is_block_device;
}

bool qemu_remember(struct host *host, cJSON *facts, struct error *err)
{
    struct qemu *vm = qemu_of(host);
    cJSON *disks = cJSON_AddArrayToObject(facts, "disks");
    cJSON *images = cJSON_AddArrayToObject(facts, "images");

    (void)err;
    json_add_uint(facts, "qemu_pid", (uint64_t)vm->pid);
    json_add_uint(facts, "start_time", vm->start_time);
    json_add_uint(facts, "uid", vm->source.process.uid);
    cJSON_AddStringToObject(facts, "socket", vm->socket);
    for (size_t i = 0; i < vm->source.disk_count; i++) {
        const struct source_disk *disk = &vm->source.disks[i];

        cJSON_AddItemToArray(disks, must(cJSON_CreateString(disk->name)));
        if (is_private(vm, disk))
            cJSON_AddItemToArray(images, image_fact(disk->paths[0]));
    }
    cJSON_Delete(vm->source.facts);
    vm->source.facts = cJSON_Duplicate(facts, true);
    return true;
}

bool qemu_source_reattach(struct qemu *vm, const cJSON *fact, struct error *err)
{
    const char *socket = json_string(fact, "socket", err);
    uint64_t pid;

    if (!socket || !json_uint(fact, "qemu_pid", &pid, err) ||
        !json_uint(fact, "start_time", &vm->start_time, err))
        return error_prefix(err, "the journal");
    vm->pid = (pid_t)pid;
    vm->socket = must(strdup(socket));
    vm->source.process.uid = (uid_t)json_uint_or(fact, "uid", 0);
    vm->source.facts = cJSON_Duplicate(fact, true);
    vm->source.reattached = true;
    return true;
}

/* ---- mirrors ---- */

bool qemu_mirror_start(struct host *host, const char *disk, const char *path, struct error *err)
{
    struct qemu *vm = qemu_of(host);
    const struct source_disk *source = source_disk_find(&vm->source, disk);
    struct qmp_mirror mirror = {
        .id = host->context.id,
        .disk = disk,
        .socket = path,
        .target_is_zero = true,
    };

    if (!source)
        return error_set(err, ERROR_SYSTEM, "the VM has no disk '%s'", disk);
    mirror.device = source->device;
    mirror.size = source->size;
    mirror.bandwidth = host->context.options.bandwidth / vm->source.disk_count;
    return qemu_let_in(vm, path, vm->source.process.uid, err) &&
           qmp_mirror_start(vm->q, &mirror, err);
}

bool qemu_mirror_state(struct host *host, const char *disk, struct mirror_state *state,
                       struct error *err)
{
    struct qmp_mirror_state now;

    if (!qmp_mirror_state(qemu_of(host)->q, host->context.id, disk, &now, err))
        return false;
    *state = (struct mirror_state){ .ready = now.ready, .done = now.done, .total = now.total };
    return true;
}

void qemu_mirror_stop(struct host *host, const char *disk)
{
    struct qemu *vm = qemu_of(host);
    struct error err = { 0 };

    if (qemu_run_state(vm) != RUN_GONE && qemu_reconnect(vm, &err) &&
        !qmp_mirror_stop(vm->q, host->context.id, disk, &err))
        event_say(&host->context.events, EVENT_WARNING, NULL, "%s", err.text);
}

/* A dead xmig's mirrors go on without it. */
static void stop_leftover_mirrors(struct qemu *vm)
{
    const cJSON *disk;

    cJSON_ArrayForEach (disk, cJSON_GetObjectItemCaseSensitive(vm->source.facts, "disks"))
        if (cJSON_IsString(disk))
            qemu_mirror_stop(&vm->base, disk->valuestring);
}

/* ---- the paused copy ---- */

enum run_state qemu_source_state(struct host *host)
{
    return qemu_run_state(qemu_of(host));
}

/* QEMU lets the guest go on by itself when it gives up a migration, a moment later. */
static bool make_run(struct qemu *vm, struct error *err)
{
    uint64_t deadline = loop_now_ms() + RESUME_MS;
    struct qmp_status status = { 0 };

    for (;;) {
        if (!qmp_query_status(vm->q, &status, err))
            return false;
        if (status.running)
            return true;
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "QEMU does not run the VM again: it is '%s'",
                             status.text);
        if (strcmp(status.text, "finish-migrate") != 0 && !qmp_cont(vm->q, err))
            return false;
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
}

bool qemu_source_resume(struct host *host, struct error *err)
{
    struct qemu *vm = qemu_of(host);

    if (!process_lives(vm->pid, vm->start_time))
        return error_set(err, ERROR_LOST, "QEMU's process %d has ended", (int)vm->pid);
    if (!qemu_reconnect(vm, err) || !qemu_ram_cancel(vm, err) || !make_run(vm, err))
        return error_prefix(err, "cannot let the VM go on");
    if (vm->source.reattached)
        stop_leftover_mirrors(vm);
    vm->source.paused_ms = 0;
    return true;
}

static char *moved_name(const struct qemu *vm, const char *path)
{
    char *moved;

    if (asprintf(&moved, "%s.moved-%s", path, vm->base.context.id) < 0)
        abort();
    return moved;
}

static bool is_image_of(const char *path, const cJSON *fact)
{
    struct stat st;

    return stat(path, &st) == 0 && qemu_is_inode(fact, st.st_ino);
}

/* Each image to its moved name, or back; what is not where it should be stays. */
static bool rename_images(struct qemu *vm, bool away, struct error *err)
{
    const cJSON *fact;
    bool ok = true;

    cJSON_ArrayForEach (fact, cJSON_GetObjectItemCaseSensitive(vm->source.facts, "images")) {
        const char *path = json_string_or(fact, "path", "");
        AUTO_FREE char *moved = moved_name(vm, path);

        if (is_image_of(away ? path : moved, fact) &&
            !path_rename(away ? path : moved, away ? moved : path, ok ? err : NULL))
            ok = false;
    }
    return ok;
}

/* From COMMIT on the guest is paused, and QEMU holds its images: there is nothing to do. When
 * QEMU has ended, the images are renamed, lest anybody starts the old copy by habit.
 */
bool qemu_source_fence(struct host *host, struct error *err)
{
    (void)host;
    (void)err;
    return true;
}

bool qemu_source_unfence(struct host *host, struct error *err)
{
    return rename_images(qemu_of(host), false, err);
}

static bool end_process(struct qemu *vm, struct error *err)
{
    struct error why = { 0 };

    if (vm->q)
        qmp_guard(vm->q, false);
    if (qemu_reconnect(vm, &why) && qmp_quit(vm->q, &why) && qemu_await_end(vm, QUIT_MS))
        return true;
    return process_kill(vm->pid, vm->start_time, KILL_MS, err);
}

bool qemu_source_destroy(struct host *host, struct error *err)
{
    struct qemu *vm = qemu_of(host);

    if (vm->q)
        qmp_guard(vm->q, false);
    switch (qemu_run_state(vm)) {
    case RUN_RUNNING:
        return error_set(err, ERROR_REFUSED,
                         "the old copy runs (process %d), although the VM was moved: nothing was "
                         "ended",
                         (int)vm->pid);
    case RUN_GONE:
        break;
    case RUN_PAUSED:
    case RUN_UNKNOWN:
        if (!end_process(vm, err))
            return false;
        break;
    }
    return rename_images(vm, true, err);
}

void qemu_source_done(struct qemu *vm)
{
    const cJSON *proof;

    cJSON_ArrayForEach (proof, vm->source.proofs)
        unlink(proof->valuestring);
    cJSON_Delete(vm->source.proofs);
    cJSON_Delete(vm->source.facts);
    source_disks_done(&vm->source);
    argv_result_done(&vm->source.argv);
    qemu_process_done(&vm->source.process);
    free(vm->source.name);
    free(vm->source.machine);
    vm->source = (struct source){ 0 };
}
