/* One migration's view of a domain, at either side. */
#ifndef XMIG_HOST_XEN_XEN_H
#define XMIG_HOST_XEN_XEN_H

#include <xenctrl.h>
#include <xenguest.h>

#include "host/hypervisors.h"
#include "host/images/disk-device.h"
#include "host/images/disk-images.h"
#include "host/xen/ground/log.h"
#include "host/xen/ground/store.h"
#include "qmp/commands.h"
#include "qmp/mirror.h"

enum {
    XEN_PAGE = 4096,
    XEN_UUID_SIZE = 37
};

/* A disk that moves: writable, and served by the device model. */
struct xen_disk {
    char *name;   /* as the guest's configuration has it: "hda", "sdb" */
    char *id;     /* … as xenstore has it: "768" */
    char *device; /* what the device model's commands call what the guest uses of it */
    char *path;
    char *target;   /* its image at the target */
    char *format;   /* "raw", "qcow2" */
    cJSON *options; /* of the format */
    uint64_t size, allocated;
    bool is_block_device;
    bool is_kernels;  /* its PV backend is the kernel's, not the device model's */
    bool is_emulated; /* IDE, AHCI, SCSI; else the guest uses the PV disk */
};

struct xen_source {
    char *name; /* what it is called here */
    pid_t pid;  /* of the device model */
    uint64_t start_time;
    cJSON *config; /* libxl's */
    cJSON *words;  /* the device model's command line, without the program */
    char *program;
    char *machine; /* the versioned type */
    struct xen_disk *disks;
    size_t disk_count;
    size_t heard;   /* of the mirrors' events */
    cJSON *media;   /* of CD-ROM drives; media_read()'s */
    cJSON *devices; /* as they were described; devices_read()'s */
    cJSON *proofs;  /* paths of files beside shared images */
    cJSON *images;  /* facts of those that are fenced; host/images/image-fence.h */
    uint64_t paused_ms;
    uint64_t ran_ns;       /* how long its processors had run when it was suspended; 0: not known */
    uint64_t suspended_ms; /* when it had followed the request; 0: it has not */
    uint64_t ram_since_ms; /* since when RAM is sent with the guest suspended, by --ram; 0: not */
    uint64_t ram_moved_ms; /* when that has last moved */
    bool asked;            /* the guest was asked to suspend itself */
    bool owes;             /* … has taken the request, and may follow it at any time */
    int lock;              /* held while a migration is at work on the domain; 0: not */
    bool ran;              /* somebody has let it run after it was handed over */
    bool destroyed;        /* by us */
    bool reattached;       /* after a crash: what is left of mirrors is not ours to know */
};

struct xen_target {
    cJSON *params;    /* a copy, which says what becomes of them here */
    const cJSON *xen; /* its part that is ours; borrowed */
    char *name;       /* what it shall be called when it runs */
    struct disk_images images;
    struct child *child; /* the device model */
    pid_t pid;
    uint64_t start_time;
    char *program;
    char *log;    /* the device model's */
    cJSON *notes; /* for the plan: an array of strings */
    int ram;      /* our end of the lane; -1 */
    int ram_lane; /* the end that the lane gets; -1 */
    uint32_t store_port, console_port;
    unsigned long store_gfn, console_gfn;
    char *device_state;
    size_t device_state_size;
    bool restored;
    bool reattached;            /* after a crash: there are no parameters */
    uint32_t domid_before_boot; /* and the host has booted since; 0: it has not */
};

struct xen {
    struct host base;
    struct xen_log *log;
    xc_interface *xc; /* the loop's thread's own */
    struct xs_handle *xs;
    struct qmp *q;  /* NULL: not connected */
    uint32_t domid; /* 0: none */
    char uuid[XEN_UUID_SIZE];
    struct xen_source source;
    struct xen_target target;
};

static inline struct xen *xen_of(struct host *host)
{
    return (struct xen *)host;
}

static inline const cJSON *xen_get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- xen.c ---- */

/* Open the interfaces, if they are not. */
bool xen_open(struct xen *vm, struct error *err);

/* "WHAT: errno's text (what the library said)". Always false. */
bool xen_fail(struct xen *vm, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A formatted string; the caller frees it. */
char *xen_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Connect to the device model's monitor which libxl does not use. */
bool xen_connect(struct xen *vm, uint64_t timeout_ms, struct error *err);
void xen_disconnect(struct xen *vm);

/* ---- domain.c: what the hypervisor knows ---- */

bool domain_info(xc_interface *xc, uint32_t domid, xc_domaininfo_t *info);
void domain_uuid(const xc_domaininfo_t *info, char uuid[XEN_UUID_SIZE]);
/* The domain of this name or number. False: there is none. */
/* Add the names of all but dom0 to the array. */
void domain_names(xc_interface *xc, struct xs_handle *xs, cJSON *names);
bool domain_find(xc_interface *xc, struct xs_handle *xs, const char *name, uint32_t *domid);
bool domain_find_uuid(xc_interface *xc, const char *uuid, uint32_t besides, uint32_t *domid);
/* Another domain of the source's name or UUID. */
bool domain_find_copy(const struct xen *vm, uint32_t *domid);
/* Has it been shut down, and why (SHUTDOWN_…)? */
bool domain_is_shut_down(const xc_domaininfo_t *info, unsigned *reason);
/* `uuid`: whose domain it must be, for numbers are given away again; NULL: whichever it is. */
enum run_state domain_state(xc_interface *xc, uint32_t domid, const char *uuid);
/* Has somebody paused it, which we never do at the source? */
bool domain_is_held(const struct xen *vm);
bool domain_rename(struct xen *vm, const char *name, struct error *err);

/* ---- config.c: libxl's configuration of a domain ---- */

cJSON *config_read(uint32_t domid, const char *uuid, struct error *err);
bool config_write(uint32_t domid, const char *uuid, const cJSON *config, struct error *err);
void config_remove(uint32_t domid, const char *uuid);

/* ---- devices.c: the nodes of devices ---- */

/* Every device of the source but its console: an array of {kind, id, backend, backend_keys,
 * frontend_keys, is_connected}.
 */
cJSON *devices_read(struct xen *vm, struct error *err);

/* Whether the guest uses device `kind`/`id` by its PV driver now. */
bool device_is_connected(struct xen *vm, const char *kind, const char *id);

/* Has somebody attached or removed a device, or changed a medium, since they were read? */
bool devices_recheck(struct xen *vm, struct error *err);
/* Those that the device model is to find when it starts. */
bool devices_write_early(struct xen *vm, struct error *err);
bool devices_write_vifs(struct xen *vm, struct error *err);
/* Wait until each disk's backend has opened its image. */
bool devices_await_disks(struct xen *vm, struct error *err);
bool devices_remove(struct xen *vm, struct error *err);

/* ---- disks.c: the source's ---- */

bool xen_source_disks_read(struct xen *vm, struct error *err);
void xen_source_disks_done(struct xen_source *source);
cJSON *xen_source_disk_params(const struct xen *vm, const struct xen_disk *disk, struct error *err);
/* Does the guest still use each one by the way that is mirrored? */
bool xen_source_disks_recheck(struct xen *vm, struct error *err);
/* The same with the guest suspended, of what it may have done since: as quick as can be. */
bool xen_source_ways_recheck(struct xen *vm, struct error *err);
/* Is what libxl has noted of a disk that of one which is copied, not found at the target? */
bool xen_disk_moves(const cJSON *keys);
/* "aio:/path" and "qcow2:/path" are the device model's, "/path" is the kernel's. */
const char *xen_params_path(const char *params);

/* ---- disk-way.c ---- */

/* What of the device model's `blocks` (query-block) the guest uses of a disk whose PV frontend is
 * connected or not; sets `is_emulated`. NULL, refused: that cannot be mirrored.
 */
const cJSON *disk_way(struct xen_disk *disk, const cJSON *blocks, bool connected,
                      struct error *err);
/* What its mirror is told to copy. */
const char *disk_device_name(const struct xen_disk *disk, const cJSON *block);

/* ---- media.c: what is only read ---- */

/* An array of {"name", "drive", "source", "image"}, the last of which is "" if the drive is
 * empty, or shall be at the target.
 */
cJSON *media_read(struct xen *vm, struct error *err);
/* Has one been changed since? */
bool media_recheck(struct xen *vm, struct error *err);
/* The one whose `member` has this value; NULL: none. */
const cJSON *media_find(const cJSON *media, const char *member, const char *value);
/* Target: is it all here? */
bool media_check(const cJSON *media, struct error *err);

/* ---- attach.c ---- */

bool xen_attach(struct host *host, const char *name, struct error *err);
void xen_source_unlock(struct xen *vm);

/* ---- source.c ---- */

bool xen_describe(struct host *host, cJSON *params, struct error *err);
void xen_plan_send(struct host *host, struct plan *plan);
bool xen_remember(struct host *host, cJSON *facts, struct error *err);
void xen_source_mark(struct host *host, cJSON *fact);
bool xen_source_is_unwritten(struct host *host, const cJSON *fact, struct error *err);
enum run_state xen_source_state(struct host *host);
bool xen_source_resume(struct host *host, struct error *err);
bool xen_source_destroy(struct host *host, struct error *err);
bool xen_source_reattach(struct xen *vm, const cJSON *fact, struct error *err);
void xen_source_done(struct xen *vm);

/* ---- fence.c ---- */

/* Note which images are fenced, and how; refuse what cannot be. */
bool xen_fence_describe(struct xen *vm, struct error *err);
void xen_fence_plan(const struct xen *vm, struct plan *plan);
void xen_fence_tell(const struct xen *vm);
bool xen_source_fence(struct host *host, struct error *err);
bool xen_source_unfence(struct host *host, struct error *err);

/* ---- others.c ---- */

/* Does nobody but the device model write to a disk that is mirrored? */
bool xen_images_are_ours(const struct xen *vm, struct error *err);

bool xen_nobody_else(struct host *host, struct error *err);
/* At the target: is there a domain of the dead copy's UUID? */
bool xen_runs_again(struct host *host, char *who, size_t size);

/* ---- hardware.c: what of a domain is not in its configuration ---- */

bool hardware_read(struct xen *vm, cJSON *xen, struct error *err);

/* ---- cpu-policy.c: "cpu_policy" of the parameters ---- */

bool cpu_policy_read(struct xen *vm, cJSON *xen, struct error *err);
bool cpu_policy_check(struct xen *vm, const cJSON *policy, struct error *err);

/* ---- schedule.c ---- */

void schedule_read(struct xen *vm, cJSON *xen);
bool schedule_write(struct xen *vm, struct error *err);

/* ---- mirror.c ---- */

bool xen_mirror_start(struct host *host, const char *disk, const char *path, struct error *err);
bool xen_mirror_state(struct host *host, const char *disk, struct mirror_state *state,
                      struct error *err);
bool xen_mirror_wait(struct host *host, uint64_t timeout_ms, struct error *err);
void xen_mirror_stop(struct host *host, const char *disk);
/* With the guest suspended: send what is left, prove it, remove the mirrors. */
bool xen_mirrors_drain(struct xen *vm, struct error *err);
/* What the mirrors still have to send. An error when one has died. */
bool xen_mirrors_debt(struct xen *vm, uint64_t *bytes, bool *ready, struct error *err);

/* ---- run-state.c: what others do to it ---- */

/* It is suspended: from now on it does not run. */
void xen_source_watch(struct xen *vm);
/* The same, as the journal's `fact` has it. */
void xen_source_watch_note(const struct xen *vm, cJSON *fact);
void xen_source_watch_found(struct xen *vm, const cJSON *fact);
/* After it was handed over: has somebody let the old copy run? Then it is paused, and `err` says
 * so. */
bool xen_source_ran(struct xen *vm, struct error *err);
/* Before it is suspended: has somebody paused it? */
bool xen_check_runs(struct xen *vm, struct error *err);
/* Something else than we keeps it from running, or has ended it: what that is, is noted. */
bool xen_is_left_alone(struct xen *vm);
bool xen_source_unchanged(struct host *host, struct error *err);
void xen_remember_sealed(struct host *host, cJSON *facts);
bool xen_copy_never_ran(struct host *host, struct error *err);

/* ---- suspend.c ---- */

/* Have the guest suspend itself, or be suspended. */
bool guest_suspend(struct xen *vm, struct error *err);
/* The reverse, if it was suspended, or has been asked to. */
bool guest_resume(struct xen *vm, struct error *err);

/* ---- ram-send.c, ram-recv.c ---- */

bool xen_ram_send(struct host *host, const char *path, const struct ram_hooks *hooks,
                  struct error *err);
uint64_t xen_paused_at(struct host *host);
uint64_t xen_paused_for(struct host *host, bool with_ram);
int xen_open_lane(struct host *host, const char *name, struct error *err);
bool xen_flush_disks(struct host *host, struct error *err);
bool xen_ram_listen(struct host *host, struct error *err);
bool xen_ram_recv(struct host *host, struct error *err);
void xen_ram_close(struct xen *vm);

/* ---- check.c: may it come here? ---- */

bool xen_check_target(struct host *host, const cJSON *params, struct error *err);
void xen_plan_recv(struct host *host, struct plan *plan);
/* check-disks.c */
bool xen_check_disks(struct xen *vm, struct error *err);

/* ---- create.c: the empty domain ---- */

bool xen_create_machine(struct host *host, struct error *err);
/* Pages of 4 KiB that the guest may come to have at the target before it runs there. */
uint64_t xen_most_pages(const struct xen *vm);
bool xen_limit_memory(struct xen *vm, uint64_t pages, struct error *err);

/* ---- device-model.c ---- */

bool xen_start_device_model(struct host *host, struct error *err);
bool device_model_end(struct xen *vm, struct error *err);
/* Add the last words of its log to an error that they may explain. */
void device_model_explain(struct xen *vm, struct error *err);

/* ---- exports.c ---- */

bool exports_open(struct xen *vm, struct error *err);
/* From here on the images are the device model's alone. */
bool exports_close(struct xen *vm, struct error *err);

/* ---- face.c: what libxl and its tools look at ---- */

/* Write what can be known before the guest's memory is here. */
bool face_write(struct xen *vm, struct error *err);
/* The rest: where in it xenstore and the console are. */
bool face_write_rings(struct xen *vm, struct error *err);

/* ---- seal.c: the domain becomes complete ---- */

bool xen_seal(struct host *host, struct error *err);

/* ---- hotplug.c ---- */

/* Run the scripts that join the guest's network interfaces to a bridge, or part them. */
enum hotplug_step {
    HOTPLUG_ONLINE, /* those of PV drivers: nothing comes through before the guest runs */
    HOTPLUG_TAP,    /* the emulated ones: only when the guest is ours, for the device model
                     * has its own say when it loads its state
                     */
    HOTPLUG_OFFLINE /* all */
};
bool hotplug_vifs(struct xen *vm, enum hotplug_step step, struct error *err);

/* ---- announce.c ---- */

/* Tell switches where the guest's network interfaces are now: at once, and when those that are
 * emulated are joined to their bridges.
 */
void announce_pv(struct xen *vm);
void announce_emulated(struct xen *vm);

/* ---- target.c ---- */

bool xen_disks_have_names(struct host *host, struct error *err);
bool xen_before_resume(struct host *host, struct error *err);
bool xen_target_resume(struct host *host, struct error *err);
void xen_after_resume(struct host *host);
enum run_state xen_target_state(struct host *host);
bool xen_target_destroy(struct host *host, struct error *err);
bool xen_disks_discard(struct host *host, struct error *err);
bool xen_disks_keep(struct host *host, struct error *err);
bool xen_target_reattach(struct xen *vm, const cJSON *records, struct error *err);
void xen_target_done(struct xen *vm);

#endif
