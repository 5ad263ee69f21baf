/* The target's side: an empty machine that waits, is filled, and runs. */

#include "host/images/image-contents.h"
#include "qmp/block-image.h"
#include "xmig/paths.h"
#include "host/qemu/guest/machine.h"
#include "qmp/settings.h"
#include "xmig/journal.h"
#include "host/qemu/taps.h"
#include "host/qemu/throttles.h"
#include "xmig/process.h"
#include "xmig/facts.h"
#include "xmig/nbd.h"
#include "xmig/text.h"
#include "host/qemu/drives.h"

enum {
    KILL_MS = 10000,
    FLUSH_MS = 600000,   /* as long as an image may take to reach the disk */
    SYNC_EVERY_MS = 500, /* while RAM comes in */
};

static bool mirrors(const struct qemu_copy *vm)
{
    return vm->base.context.options.mirrors_disks;
}

bool qemu_create_machine(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);

    return !mirrors(vm) || disk_images_create(&vm->images, err);
}

/* ---- exports ---- */

static bool is_disk(const cJSON *block, const struct disk_params *disk)
{
    if (*disk->drive)
        return !strcmp(json_string_or(block, "device", ""), disk->drive);
    if (*disk->node)
        return !strcmp(json_string_or(json_get(block, "inserted"), "node-name", ""), disk->node);
    return *disk->qdev && !strcmp(json_string_or(block, "qdev", ""), disk->qdev);
}

/* {"blocks", "nodes"}: what find_node() looks through. */
static cJSON *read_nodes(struct qemu_copy *vm, struct error *err)
{
    cJSON *blocks = NULL, *nodes = NULL;
    AUTO_JSON cJSON *all = must(cJSON_CreateObject());

    if (!qmp_call(vm->qemu.q, "query-block", NULL, &blocks, err))
        return NULL;
    cJSON_AddItemToObject(all, "blocks", blocks);
    if (!qmp_call(vm->qemu.q, "query-named-block-nodes", NULL, &nodes, err))
        return NULL;
    cJSON_AddItemToObject(all, "nodes", nodes);
    return steal(all);
}

/* The node of the disk's image: beneath filters, for their limits are the guest's. */
static const cJSON *find_node(const cJSON *all, const struct disk_params *disk)
{
    const cJSON *block;

    cJSON_ArrayForEach (block, json_get(all, "blocks"))
        if (is_disk(block, disk))
            return block_node_beneath(json_get(all, "nodes"), json_get(block, "inserted"));
    return NULL;
}

/* A mirror onto a disk of another size would fail at once, and less clearly. */
static bool check_size(const cJSON *inserted, uint64_t there, struct error *err)
{
    uint64_t here = json_uint_or(json_get(inserted, "image"), "virtual-size", 0);

    if (here == there)
        return true;
    return error_set(err, ERROR_SYSTEM, "it has %llu bytes at the target and %llu at the source",
                     (unsigned long long)here, (unsigned long long)there);
}

static bool export_disk(struct qemu_copy *vm, const cJSON *nodes, const struct disk_params *disk,
                        struct error *err)
{
    const char *name = disk->name;
    const cJSON *inserted = find_node(nodes, disk);
    const char *node = json_string_or(inserted, "node-name", NULL);
    AUTO_FREE char *id = NULL;

    if (!node)
        return error_set(err, ERROR_SYSTEM, "disk '%s': the target's QEMU has none like it", name);
    id = formatted("xmig-%s", name);
    if (check_size(inserted, disk->size, err) &&
        qmp_block_export_add(vm->qemu.q, id, node, name, err))
        return true;
    return error_prefix(err, "disk '%s'", name);
}

static bool connect_to_exports(struct qemu_copy *vm, const char *socket, struct error *err)
{
    const struct disk_params *disks = vm->images.disks;
    size_t count = vm->images.disk_count;
    AUTO_FREE struct nbd_export_wanted *wanted = must(calloc(count + 1, sizeof(*wanted)));

    for (size_t i = 0; i < count; i++)
        wanted[i] = (struct nbd_export_wanted){ disks[i].name, disks[i].size };
    vm->exports = nbd_exports_open(vm->base.context.loop, socket, wanted, count, err);
    return vm->exports != NULL;
}

static bool export_disks(struct qemu_copy *vm, struct error *err)
{
    enum {
        NO_LIMIT = 0
    };
    AUTO_FREE char *socket = qemu_socket(vm, "nbd");
    AUTO_JSON cJSON *nodes = NULL;

    if (!qmp_nbd_server_start(vm->qemu.q, socket, NO_LIMIT, err))
        return false;
    nodes = read_nodes(vm, err);
    if (!nodes)
        return false;
    for (size_t i = 0; i < vm->images.disk_count; i++)
        if (!export_disk(vm, nodes, &vm->images.disks[i], err))
            return false;
    return connect_to_exports(vm, socket, err);
}

/* ---- start ---- */

static bool map_bitmaps(struct qemu_copy *vm, cJSON *parameters, struct error *err)
{
    AUTO_JSON cJSON *nodes = read_nodes(vm, err);
    cJSON *mapping = NULL;

    if (!nodes)
        return false;
    for (size_t i = 0; i < vm->images.disk_count; i++) {
        const struct disk_params *disk = &vm->images.disks[i];
        const cJSON *inserted = find_node(nodes, disk);

        if (!disk->bitmaps || !disk->bitmaps->child)
            continue;
        if (!mapping)
            mapping = cJSON_AddArrayToObject(parameters, "block-bitmap-mapping");
        image_contents_map(mapping, json_string_or(inserted, "node-name", "?"), disk->name,
                           disk->bitmaps);
    }
    return true;
}

/* The command line may have its own (-global migration.…). */
static bool put_settings(struct qemu_copy *vm, struct error *err)
{
    static const char *const own_disks[] = { "events", "pause-before-switchover", "return-path",
                                             NULL };
    static const char *const with_bitmaps[] = { "events", "pause-before-switchover", "return-path",
                                                "dirty-bitmaps", NULL };
    /* Shared images stay the source's until the guest is resumed here. */
    static const char *const shared_disks[] = { "events", "pause-before-switchover", "return-path",
                                                "late-block-activate", NULL };

    AUTO_JSON cJSON *parameters = must(cJSON_CreateObject());
    bool has_bitmaps;

    cJSON_Delete(vm->settings);
    vm->settings = qmp_settings_read(vm->qemu.q, err);
    if (!vm->settings || !map_bitmaps(vm, parameters, err))
        return false;
    has_bitmaps = parameters->child != NULL;
    return qmp_settings_put(vm->qemu.q,
                            !mirrors(vm)  ? shared_disks
                            : has_bitmaps ? with_bitmaps
                                          : own_disks,
                            steal(parameters), vm->settings, err);
}

/* Make slots and drives as they are at the source now; its command line may be outdated. */
static bool make_present(struct qemu_copy *vm, struct error *err)
{
    const struct qemu_machine *qemu = &vm->params.qemu;

    return pci_check(&vm->qemu, qemu->slots, err) &&
           throttles_set(&vm->qemu, qemu->throttles, err) &&
           (drives_set(&vm->qemu, qemu->media, qemu->drives, err) || qemu_explain(vm, err));
}

bool qemu_start_device_model(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);

    return qemu_start(vm, err) && devices_can_arrive(vm, err) && put_settings(vm, err) &&
           (!mirrors(vm) || export_disks(vm, err)) && make_present(vm, err) &&
           taps_join(vm, vm->params.qemu.taps, err);
}

int qemu_open_lane(struct copy *copy, const char *name, struct error *err)
{
    static const char past_handshake[] = LANE_NBD "/disk/";
    struct qemu_copy *vm = qemu_copy_of(copy);
    AUTO_FREE char *socket = NULL;

    if (!strncmp(name, past_handshake, strlen(past_handshake)))
        return nbd_exports_take(vm->exports, name + strlen(past_handshake), err);
    if (!strcmp(name, "ram"))
        socket = qemu_socket(vm, "ram");
    else if (!strncmp(name, "disk/", 5))
        socket = qemu_socket(vm, "nbd");
    if (socket)
        return connect_unix(socket, err);
    error_set(err, ERROR_PROTOCOL, "there is no lane '%s'", name);
    return -1;
}

/* ---- RAM ---- */

/* QEMU keeps a part of what a qcow2 image needs in its memory. */
static bool flush(struct qemu_copy *vm, struct error *err)
{
    return nbd_exports_flush(vm->exports, FLUSH_MS, err) && disk_images_sync(&vm->images, err);
}

bool qemu_flush_disks(struct copy *copy, struct error *err)
{
    return flush(qemu_copy_of(copy), err);
}

bool qemu_ram_listen(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);
    AUTO_FREE char *socket = qemu_socket(vm, "ram");

    return qmp_migrate_incoming(vm->qemu.q, socket, err);
}

static bool is_end(const cJSON *data, const void *unused)
{
    const char *status = json_string_or(data, "status", "");

    (void)unused;
    return !strcmp(status, "completed") || !strcmp(status, "failed");
}

/* No deadline: the end of the sender, or of QEMU, interrupts the wait. Meanwhile flush what the
 * mirrors have brought, so that less is left for the pause.
 */
static bool await_end(struct qemu_copy *vm, bool *completed, struct error *err)
{
    size_t mark = 0;

    for (;;) {
        struct error why = { 0 };
        const cJSON *data =
            qmp_wait_event(vm->qemu.q, &mark, "MIGRATION", is_end, NULL, SYNC_EVERY_MS, &why);

        if (data) {
            *completed = !strcmp(json_string_or(data, "status", ""), "completed");
            return true;
        }
        if (why.kind != ERROR_TIMEOUT) {
            *err = why;
            return false;
        }
        if (!flush(vm, err))
            return false;
    }
}

bool qemu_ram_recv(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);
    bool completed;

    if (!await_end(vm, &completed, err))
        return err->kind == ERROR_LOST ? qemu_explain(vm, err) : false;
    if (completed)
        return true;
    error_set(err, ERROR_SYSTEM, "QEMU could not load what came");
    return qemu_explain(vm, err);
}

/* ---- seal ---- */

/* Ask our QEMU: that the source has sent everything does not prove that it has arrived. */
static bool check_complete(struct qemu_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *migration = qmp_query_migrate(vm->qemu.q, err);
    const char *migrated = json_string_or(migration, "status", "none");
    struct qmp_status status;

    if (!migration || !qmp_query_status(vm->qemu.q, &status, err))
        return false;
    if (strcmp(migrated, "completed") != 0)
        return error_set(err, ERROR_SYSTEM, "QEMU has not received all: its migration is '%s'",
                         migrated);
    if (status.running || !strcmp(status.text, "inmigrate"))
        return error_set(err, ERROR_SYSTEM, "QEMU should have the guest paused: it is '%s'",
                         status.text);
    return true;
}

/* A late writer would write under the running guest. */
static bool end_exports(struct qemu_copy *vm, struct error *err)
{
    AUTO_JSON cJSON *exports = NULL;

    if (!nbd_exports_flush(vm->exports, FLUSH_MS, err))
        return false;
    /* QEMU 7.2 dies when a client of a disk with an iothread hangs up by itself. */
    if (!qmp_nbd_server_stop(vm->qemu.q, err))
        return false;
    nbd_exports_free(steal(vm->exports));
    if (!qmp_call(vm->qemu.q, "query-block-exports", NULL, &exports, err))
        return false;
    if (cJSON_GetArraySize(exports) > 0)
        return error_set(err, ERROR_SYSTEM, "QEMU still exports a disk");
    return true;
}

bool qemu_seal(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);

    if (!check_complete(vm, err))
        return false;
    /* Until OWNED only somebody else can let the copy run: then stop it at once. */
    qmp_hold(vm->qemu.q, true);
    qemu_watch(&vm->qemu);
    return (!mirrors(vm) || end_exports(vm, err)) && disk_images_sync(&vm->images, err);
}

/* ---- run ---- */

bool qemu_disks_have_names(struct copy *copy, struct error *err)
{
    return disk_images_have_names(&qemu_copy_of(copy)->images, err);
}

/* A copy that somebody has let run already is fine here: the guest is ours since OWNED. */
bool qemu_before_resume(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);
    enum run_state state = qemu_run_state(&vm->qemu);

    if (state == RUN_PAUSED || state == RUN_RUNNING)
        return true;
    return error_set(err, ERROR_SYSTEM, "the copy is not paused any more, but %s",
                     run_state_name(state));
}

/* If QEMU refuses `cont`, no vCPU has run. */
bool qemu_copy_resume(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);

    if (!qemu_reconnect(&vm->qemu, err))
        return false;
    qmp_hold(vm->qemu.q, false);
    return qmp_cont(vm->qemu.q, err);
}

static void announce(struct qemu_copy *vm)
{
    static const struct {
        const char *name;
        uint64_t value;
    } timing[] = { { "initial", 50 }, { "max", 550 }, { "rounds", 5 }, { "step", 100 } };
    cJSON *arguments = must(cJSON_CreateObject());

    for (size_t i = 0; i < sizeof(timing) / sizeof(timing[0]); i++)
        json_add_uint(arguments, timing[i].name, timing[i].value);
    (void)qmp_call(vm->qemu.q, "announce-self", arguments, NULL, NULL);
}

/* Our monitor stays: a later move finds it free when the user's own is taken. */
void qemu_after_resume(struct copy *copy)
{
    struct qemu_copy *vm = qemu_copy_of(copy);

    if (!qemu_reconnect(&vm->qemu, NULL))
        return;
    qmp_guard(vm->qemu.q, false);
    announce(vm);
    /* A later migration, by whomever, finds QEMU as it was started. */
    (void)qmp_settings_restore(vm->qemu.q, vm->settings, NULL);
    if (vm->log)
        event_say(&copy->context.events, EVENT_NOTE, NULL, "QEMU's process is %d, its log '%s'",
                  (int)vm->qemu.pid, vm->log);
}

enum run_state qemu_copy_state(struct copy *copy)
{
    return qemu_run_state(&qemu_copy_of(copy)->qemu);
}

/* ---- undo ---- */

bool qemu_copy_destroy(struct copy *copy, struct error *err)
{
    struct qemu_copy *vm = qemu_copy_of(copy);

    if (vm->qemu.q)
        qmp_guard(vm->qemu.q, false);
    qemu_disconnect(&vm->qemu);
    nbd_exports_free(steal(vm->exports));
    qemu_look_at_files(vm);
    if (vm->qemu.pid && !process_kill(vm->qemu.pid, vm->qemu.start_time, KILL_MS, err))
        return error_prefix(err, "QEMU");
    child_free(steal(vm->child));
    if (!tpm_stop(vm, err))
        return false;
    if (vm->machine)
        qemu_sweep(vm);
    vm->qemu.pid = 0;
    taps_leave(vm);
    return true;
}

bool qemu_disks_discard(struct copy *copy, struct error *err)
{
    return disk_images_discard(&qemu_copy_of(copy)->images, err);
}

bool qemu_disks_keep(struct copy *copy, struct error *err)
{
    return disk_images_keep(&qemu_copy_of(copy)->images, err);
}

/* ---- after a crash ---- */

static void find_by_socket(void *arg, const struct qemu_process *process)
{
    struct qemu_copy *vm = arg;
    AUTO_JSON cJSON *sockets = argv_qmp_sockets(process->words, process->start_dir);

    if (!sockets->child || strcmp(sockets->child->valuestring, vm->qemu.socket) != 0)
        return;
    vm->qemu.pid = process->pid;
    vm->qemu.start_time = process->start_time;
}

static void take_fact(struct qemu_copy *vm, const cJSON *record)
{
    switch (fact_of(record)) {
    case FACT_MACHINE:
        free(vm->qemu.socket);
        free(vm->log);
        cJSON_Delete(vm->machine);
        vm->machine = cJSON_Duplicate(record, true);
        vm->qemu.socket = must(strdup(json_string_or(record, "socket", "")));
        vm->log = must(strdup(json_string_or(record, "log", "")));
        break;
    case FACT_FILES:
        cJSON_Delete(vm->files);
        vm->files = cJSON_Duplicate(record, true);
        break;
    case FACT_PORT:
        taps_noted(vm, cJSON_Duplicate(record, true));
        break;
    case FACT_TPM:
        cJSON_Delete(vm->tpm);
        vm->tpm = cJSON_Duplicate(record, true);
        break;
    case FACT_PROCESS:
        vm->qemu.pid = (pid_t)json_uint_or(record, "qemu_pid", 0);
        vm->qemu.start_time = json_uint_or(record, "start_time", 0);
        break;
    default:
        break;
    }
}

bool qemu_copy_reattach(struct qemu_copy *vm, const cJSON *records, struct error *err)
{
    const cJSON *record;

    (void)err;
    disk_images_reattach(&vm->images, records);
    cJSON_ArrayForEach (record, records) {
        take_fact(vm, record);
        if (!strcmp(json_string_or(record, "record", ""), record_name(RECORD_PREPARED)))
            vm->sealed = cJSON_Duplicate(record, true);
    }
    if (vm->qemu.socket && !vm->qemu.pid)
        qemu_process_each(find_by_socket, vm);
    return true;
}

/* A QEMU that was not destroyed goes on without us. */
void qemu_copy_done(struct qemu_copy *vm)
{
    child_release(steal(vm->child));
    child_release(steal(vm->tpm_child));
    cJSON_Delete(vm->tpm);
    nbd_exports_free(vm->exports);
    disk_images_done(&vm->images);
    argv_result_done(&vm->line);
    cJSON_Delete(vm->words);
    cJSON_Delete(vm->machine);
    cJSON_Delete(vm->files);
    cJSON_Delete(vm->sealed);
    cJSON_Delete(vm->ports);
    cJSON_Delete(vm->settings);
    cJSON_Delete(vm->notes);
    cJSON_Delete(vm->help);
    free(vm->program);
    free(vm->log);
}
