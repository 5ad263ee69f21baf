/* A guest that is a plain QEMU process. */
#ifndef XMIG_HOST_QEMU_GUEST_GUEST_H
#define XMIG_HOST_QEMU_GUEST_GUEST_H

#include "host/qemu/params.h"
#include "host/qemu/qemu.h"
#include "host/system/service.h"
#include "qmp/mirror.h"
#include "xmig/guest.h"

/* A disk of the source: a writable image behind a device of the guest. */
struct source_disk {
    struct disk_params params; /* for a target that mirrors it; its format, and options, are those
                                * of the image here
                                */
    const char *device;        /* what QEMU's commands call it */
    const char *node;          /* that has its bitmaps */
    char **said;       /* its image, then what lies beneath, as QEMU calls them; NULL-terminated */
    char **paths;      /* … as they are called on this host now */
    size_t said_layer; /* the one that the command line names */
    bool is_block_device;
    bool opened_anew; /* QEMU opens it by name again if the hand-over fails and the guest goes on */
    bool has_stored_bitmaps;
    bool is_throttled; /* by a node of its own, through which its copy is read, too */
};

struct qemu_guest {
    struct guest base;
    struct qemu qemu;
    struct qemu_process process;
    struct service service; /* whose command it is */
    cJSON
        *managers; /* texts: who would do what with the VM, which --unmanaged leaves to the user */
    char *name;    /* what it is called here */
    char *machine;
    const char *accelerator;
    uint64_t memory;
    size_t heard; /* of the mirrors' events */
    struct source_disk *disks;
    size_t disk_count;
    cJSON *kept; /* what the disks borrow: an array */
    struct argv_result argv;
    cJSON *present;    /* the machine as QEMU has it: machine.h */
    cJSON *media;      /* in the drives that can be opened, now and at the target */
    enum ram_mode ram; /* what RAM_AUTO has become */
    size_t heard_runs; /* of the events of its run state */
    bool may_pause;    /* PAUSING is written: if it is paused, it may be by us */
    uint64_t paused_ms;
    uint64_t sending_ms;   /* since when RAM is sent, and QEMU may pause the guest; 0: not */
    uint64_t ram_since_ms; /* since when RAM is sent with the guest paused, by --ram; 0: not */
    uint64_t ram_ms;       /* how long that was, or will be, besides */
    bool ran;              /* after it was handed over */
    bool destroyed;        /* by us */
    cJSON *proofs;         /* paths of files beside shared images, by which the target knows them */
    cJSON *facts;          /* those in the journal, or to be */
    bool has_set;          /* QEMU's settings for migrations are ours */
    cJSON *drained;        /* those of the moment when its disks were drained; NULL */
    bool reattached;
};

static inline struct qemu_guest *qemu_guest_of(struct guest *guest)
{
    return (struct qemu_guest *)guest;
}

/* ---- disks.c: the source's disks ---- */

bool source_disks_read(struct qemu_guest *vm, struct error *err);
void source_disks_done(struct qemu_guest *vm);
/* images.c: find the file of each layer among those that QEMU has open. */
bool source_images_find(struct qemu_guest *vm, struct error *err);
/* Does the name by which QEMU would open an image anew still lead to it? */
bool source_images_hold(struct qemu_guest *vm, struct error *err);
const struct source_disk *source_disk_find(const struct qemu_guest *vm, const char *name);
/* Choose an image at the target, which is taken. */
void source_disk_set_image(struct qemu_guest *vm, struct source_disk *disk, char *image);

/* ---- attach.c, describe.c ---- */

bool qemu_attach(struct guest *guest, const char *name, struct error *err);
bool qemu_describe(struct guest *guest, cJSON *params, struct error *err);
void qemu_plan_send(struct guest *guest, struct plan *plan);

/* ---- managed.c ---- */

/* faults.c: refuse a VM that may meet a fault of its QEMU: --despite. */
bool qemu_check_faults(struct qemu_guest *vm, struct error *err);
/* … and one that is paused, and may meet a fault of the target's. */
bool qemu_check_flash(struct qemu_guest *vm, struct error *err);
/* Refuse a VM that a manager has, or that a service would start again: --unmanaged. */
bool qemu_managed_check(struct qemu_guest *vm, struct error *err);
/* Add to the facts what qemu_managed_tell() says once the old copy is gone. */
void qemu_managed_remember(const struct qemu_guest *vm, cJSON *facts);
void qemu_managed_plan(const struct qemu_guest *vm, struct plan *plan);
void qemu_managed_tell(const struct qemu_guest *vm);

/* tpm.c: add the parameters of the program that emulates the VM's TPM, if there is one. */
bool qemu_tpm_describe(struct qemu_guest *vm, cJSON *tpms, struct error *err);

/* ---- source.c ---- */

bool qemu_remember(struct guest *guest, cJSON *facts, struct error *err);
bool qemu_mirror_start(struct guest *guest, const char *disk, const char *path, struct error *err);
void qemu_mirror_guard(struct guest *guest, const char *disk);
bool qemu_mirror_state(struct guest *guest, const char *disk, struct mirror_state *state,
                       struct error *err);
bool qemu_mirror_wait(struct guest *guest, uint64_t timeout_ms, struct error *err);
void qemu_mirror_stop(struct guest *guest, const char *disk);
void qemu_guest_mark(struct guest *guest, cJSON *fact);
bool qemu_guest_is_unwritten(struct guest *guest, const cJSON *fact, struct error *err);
enum run_state qemu_guest_state(struct guest *guest);
bool qemu_guest_resume(struct guest *guest, struct error *err);
bool qemu_guest_destroy(struct guest *guest, struct error *err);
bool qemu_guest_reattach(struct qemu_guest *vm, const cJSON *records, const cJSON *fact,
                         struct error *err);
void qemu_guest_done(struct qemu_guest *vm);

/* ---- fence.c ---- */

/* Note in the source's facts which images are fenced, and how; refuse what cannot be. */
bool qemu_fence_describe(struct qemu_guest *vm, struct error *err);
bool qemu_guest_fence(struct guest *guest, struct error *err);
bool qemu_guest_unfence(struct guest *guest, struct error *err);
/* Say what will become of the images that have to keep their names. */
void qemu_fence_plan(const struct qemu_guest *vm, struct plan *plan);
/* Say what has become of the images. */
void qemu_fence_tell(struct qemu_guest *vm);

/* ---- nobody-else.c ---- */

/* Note who else has the VM's name, and refuse when somebody else writes to a disk that moves. */
bool qemu_others_check(struct qemu_guest *vm, struct error *err);
bool qemu_nobody_else(struct guest *guest, struct error *err);
bool qemu_guest_runs_again(struct guest *guest, char *who, size_t size);

/* ---- ram.c ---- */

bool qemu_ram_send(struct guest *guest, const char *path, const struct ram_hooks *hooks,
                   struct error *err);
uint64_t qemu_paused_at(struct guest *guest);
uint64_t qemu_paused_for(struct guest *guest, bool with_ram);
/* End a migration that is under way, by force if need be. */
bool qemu_ram_cancel(struct qemu_guest *vm, struct error *err);

/* ---- run-state.c: what others do to it ---- */

/* Before xmig pauses the guest: does it run? */
bool qemu_check_runs(struct qemu_guest *vm, struct error *err);
/* Has somebody else stopped the guest? Then it stays so, and `stopped` says why. */
bool qemu_is_left_alone(struct qemu_guest *vm, const struct qmp_status *status);
/* The source's QEMU is gone: say why, and where its disks are. */
void qemu_guest_has_ended(struct qemu_guest *vm);
bool qemu_guest_unchanged(struct guest *guest, struct error *err);
/* True, with `err`: the old copy, which `runs` now or not, has run. It is paused. */
bool qemu_guest_ran(struct qemu_guest *vm, bool runs, struct error *err);

#endif
