/* The guest: a domain at the source. */
#ifndef XMIG_HOST_XEN_GUEST_GUEST_H
#define XMIG_HOST_XEN_GUEST_GUEST_H

#include "host/hypervisors.h"
#include "host/xen/ground/connection.h"
#include "host/xen/params.h"
#include "xmig/guest.h"

/* A disk that is copied: writable, and served by the device model or dom0's kernel. */
struct xen_disk {
    struct disk_params params; /* for the target; its name is as in the guest's configuration */
    const char *id;            /* in xenstore: "768" */
    const char *device;        /* the drive or node that the guest uses, as QMP commands name it */
    bool is_kernels;           /* its PV backend is in the kernel, not in the device model */
    bool is_emulated;          /* the guest uses the IDE, AHCI or SCSI disk; else the PV disk */
    bool is_tracked;           /* the kernel serves it: xmig itself copies it */
    struct tracked_copy *copy; /* of such a disk; NULL: not begun */
};

/* What libxl's nodes and the device model say of the guest's devices, at one time. */
struct device_snapshot {
    cJSON *nodes;  /* of every device but the console: {"vbd": {"768": {"dev": "hda", …}}} */
    cJSON *blocks; /* query-block's answer */
};

struct xen_guest {
    struct guest base;
    struct xen xen;
    char *name; /* its name at the source */
    pid_t pid;  /* of the device model; 0: it has none */
    uint64_t start_time;
    cJSON *config; /* libxl's configuration of it */
    cJSON *words;  /* the device model's command line, without the program */
    char *program;
    char *machine; /* its versioned type: "pc-i440fx-7.2" */
    struct xen_disk *disks;
    size_t disk_count;
    struct device_snapshot snapshot; /* when the guest was described: the disks borrow from it, */
    cJSON *kept;                     /* and from this array */
    size_t heard;                    /* how many of the mirrors' events have been looked at */
    cJSON *media;                    /* in CD-ROM drives, by media_read() */
    cJSON *devices;                  /* as described, by devices_read() */
    cJSON *proofs;                   /* paths of the proofs beside shared images */
    cJSON *images; /* facts of its images, for the fence: host/images/image-fence.h */
    uint64_t paused_ms;
    uint64_t ran_ns;       /* run time of its vCPUs when it was suspended; 0: not known */
    uint64_t suspended_ms; /* when it was suspended; 0: it is not */
    uint64_t ram_since_ms; /* since when RAM is sent with the guest suspended, by --ram; 0: no */
    uint64_t ram_moved_ms; /* when that last made progress */
    bool asked;            /* to suspend itself */
    bool suspend_pending;  /* it took the request, and may suspend itself at any time */
    int lock;              /* held while a migration works on the domain; -1: none */
    bool ran;              /* somebody let it run after it was handed over */
    bool destroyed;        /* by xmig */
    bool reattached;       /* found again after a crash: mirrors may be left in its device model */
};

static inline struct xen_guest *xen_guest_of(struct guest *guest)
{
    return (struct xen_guest *)guest;
}

struct guest *xen_guest_new(void);

/* ---- attach.c ---- */

bool xen_attach(struct guest *guest, const char *name, struct error *err);
void xen_guest_unlock(struct xen_guest *vm);

/* ---- device-model.c ---- */

/* Find the guest's device model, if it has one, and connect to it. */
bool guest_model_attach(struct xen_guest *vm, struct error *err);
/* query-block's answer; without a device model an empty array. The caller frees it. */
bool guest_model_blocks(struct xen_guest *vm, cJSON **blocks, struct error *err);
/* Has it ended, or is it about to? Not if there is none. */
bool guest_model_is_gone(struct xen_guest *vm);
/* Does it run, as the guest needs it to? */
enum run_state guest_model_state(struct xen_guest *vm);
/* Stop it within that time, and save the state of its devices to the file `path`. */
bool guest_model_stop(struct xen_guest *vm, const char *path, uint64_t timeout_ms,
                      struct error *err);
bool guest_model_goes_on(struct xen_guest *vm, struct error *err);

/* ---- describe.c ---- */

bool xen_describe(struct guest *guest, cJSON *params, struct error *err);
void xen_plan_send(struct guest *guest, struct plan *plan);
bool xen_remember(struct guest *guest, cJSON *facts, struct error *err);

/* ---- devices-read.c: the nodes of devices ---- */

bool device_snapshot_take(struct xen_guest *vm, struct device_snapshot *snapshot,
                          struct error *err);
void device_snapshot_done(struct device_snapshot *snapshot);
/* Every device of the snapshot: an array of struct xen_device. */
cJSON *devices_read(struct xen_guest *vm, struct error *err);
/* Whether the guest uses device `kind`/`id` by its PV driver now. */
bool device_is_connected(struct xen_guest *vm, const char *kind, const char *id);
/* Has nobody attached or removed a device, or changed a medium, since they were read? */
bool devices_recheck(const struct xen_guest *vm, const struct device_snapshot *now,
                     struct error *err);

/* ---- disks.c ---- */

/* Read the disks, and the media, from a snapshot taken now. */
bool xen_guest_disks_read(struct xen_guest *vm, struct error *err);
void xen_guest_disks_done(struct xen_guest *vm);
/* Does the guest still use each disk the way that is mirrored? */
bool xen_guest_disks_recheck(struct xen_guest *vm, const struct device_snapshot *now,
                             struct error *err);
/* A quick check while the guest is suspended: has it loaded a PV driver since? */
bool xen_guest_drivers_recheck(struct xen_guest *vm, struct error *err);

/* ---- pv-or-emulated.c ---- */

/* Choose the block device of `blocks` (query-block) that the guest uses for the disk, by whether
 * its PV frontend is connected; `*block` is NULL if the kernel serves it. Sets `is_emulated` and
 * `is_tracked`. False, refused: the disk cannot be mirrored.
 */
bool disk_find_way(struct xen_disk *disk, const cJSON *blocks, bool connected, const cJSON **block,
                   struct error *err);
/* The name of that block device for the mirror; "": the kernel serves it. */
const char *disk_device_name(const struct xen_disk *disk, const cJSON *block);

/* ---- media.c: what is only read ---- */

/* An array of struct xen_medium. */
cJSON *media_read(struct xen_guest *vm, struct error *err);
/* Has nobody changed a medium since? */
bool media_recheck(const struct xen_guest *vm, const struct device_snapshot *now,
                   struct error *err);

/* ---- hardware.c: what of a domain is not in its configuration ---- */

bool hardware_read(struct xen_guest *vm, struct xen_domain *out, struct error *err);

/* ---- mirror.c ---- */

extern const struct mirror_ops xen_mirrors;
/* Before the guest is suspended: from now on nobody changes what the mirrors rely on. */
bool xen_mirrors_hold(struct xen_guest *vm, struct error *err);
/* With the guest suspended: send what is left, prove it, remove the mirrors. */
bool xen_mirrors_drain(struct xen_guest *vm, struct error *err);
/* How many bytes the mirrors still have to send. An error when a mirror has died. */
bool xen_mirrors_debt(struct xen_guest *vm, uint64_t *bytes, struct error *err);
/* For a guest found again after a crash: remove what is left of the mirrors. */
bool xen_mirrors_clean(struct xen_guest *vm, struct error *err);
/* End what an xmig that died has left of its tracking on this host, of whatever guest. */
void xen_tracking_clean(struct xen_guest *vm);
/* The guest is let go of: what still copies ends. */
void xen_mirrors_done(struct xen_guest *vm);

/* ---- suspend.c ---- */

/* Have the guest suspend itself, or be suspended. */
bool xen_suspend(struct xen_guest *vm, struct error *err);
/* Let the guest go on if it is suspended, or was asked to suspend itself. */
bool xen_unsuspend(struct xen_guest *vm, struct error *err);

/* ---- ram-send.c ---- */

bool xen_ram_send(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                  struct error *err);
uint64_t xen_paused_at(struct guest *guest);
uint64_t xen_paused_for(struct guest *guest, bool with_ram);

/* ---- run-state.c: what others do to it ---- */

/* Note how long the suspended domain has run: from now on its run time must not grow. */
void xen_guest_watch(struct xen_guest *vm);
/* Write that run time to the journal's `fact`, and read it back. */
void xen_guest_watch_note(const struct xen_guest *vm, cJSON *fact);
void xen_guest_watch_found(struct xen_guest *vm, const cJSON *fact);
/* Has somebody let the old copy run after the handover? If so it is paused, and `err` says so. */
bool xen_guest_ran(struct xen_guest *vm, struct error *err);
/* Refuses if somebody has paused the domain before it is suspended. */
bool xen_check_runs(struct xen_guest *vm, struct error *err);
/* Does something other than xmig keep the guest from running? Sets `stopped` to what it is. */
bool xen_is_left_alone(struct xen_guest *vm);
bool xen_guest_unchanged(struct guest *guest, struct error *err);

/* ---- resume.c ---- */

enum run_state xen_guest_state(struct guest *guest);
bool xen_guest_resume(struct guest *guest, struct error *err);
bool xen_guest_destroy(struct guest *guest, struct error *err);

/* ---- fence.c ---- */

/* Note which images are fenced, and how; refuse what cannot be. */
bool xen_fence_describe(struct xen_guest *vm, struct error *err);
void xen_fence_plan(const struct xen_guest *vm, struct plan *plan);
void xen_fence_tell(const struct xen_guest *vm);
bool xen_guest_fence(struct guest *guest, struct error *err);
bool xen_guest_unfence(struct guest *guest, struct error *err);

/* ---- nobody-else.c ---- */

/* Does nobody but the device model write to a disk that is mirrored? */
bool xen_images_are_ours(const struct xen_guest *vm, struct error *err);
bool xen_nobody_else(struct guest *guest, struct error *err);
bool xen_guest_runs_again(struct guest *guest, char *who, size_t size);

#endif
