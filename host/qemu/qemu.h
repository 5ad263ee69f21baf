/* One migration's view of a VM that is a plain QEMU process, at either side. */
#ifndef XMIG_HOST_QEMU_QEMU_H
#define XMIG_HOST_QEMU_QEMU_H

#include <sys/stat.h>

#include "host/images/disk-images.h"
#include "host/hosts.h"
#include "host/qemu/argv/argv.h"
#include "host/qemu/guest/find.h"
#include "qmp/commands.h"
#include "qmp/mirror.h"

/* A disk of the source: a writable image behind a device of the guest. */
struct source_disk {
    char *name;   /* for people, lanes and the NBD export */
    char *device; /* what QEMU's commands call it */
    char *drive;  /* the drive's name, or "" */
    char *qdev;   /* the guest device's id or path, or "" */
    char *format;
    char **said;       /* its image, then what lies beneath, as QEMU calls them; NULL-terminated */
    char **paths;      /* … as they are called on this host now */
    size_t said_layer; /* the one that the command line names */
    char *target;      /* its image at the target */
    uint64_t size;
    uint64_t allocated; /* by the image and all beneath */
    uint64_t written;   /* what of it will be written at the target */
    bool full;          /* a raw image that is allocated in full */
    bool is_block_device;
    bool opened_anew; /* by its name, when the guest goes on after it was to be handed over */
    cJSON *options;   /* of the format, as qemu-img takes them */
    char *node;       /* that has its bitmaps */
    cJSON *bitmaps;   /* names of those that travel */
    bool has_stored_bitmaps;
};

struct source {
    struct qemu_process process;
    char *name; /* what it is called here */
    char *machine;
    const char *accelerator;
    uint64_t memory;
    size_t heard; /* of the mirrors' events */
    struct source_disk *disks;
    size_t disk_count;
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

struct target {
    const cJSON *params; /* borrowed */
    uid_t uid;           /* whom QEMU runs as, or comes to run as */
    bool as_self;        /* it is started with our own rights */
    struct child *child;
    char *program;
    char *log;
    struct disk_images images;
    cJSON *machine;  /* the fact of the machine started here; NULL */
    cJSON *sealed;   /* PREPARED's facts; NULL */
    cJSON *ports;    /* facts of the taps made ports of a bridge here; NULL */
    cJSON *settings; /* QEMU's own for migrations; NULL: not known */
    cJSON *notes;    /* for the plan: an array of strings */
};

struct qemu {
    struct host base;
    struct qmp *q; /* NULL: not connected */
    char *socket;  /* of QMP */
    pid_t pid;     /* 0: none */
    uint64_t start_time;
    bool watched; /* on this connection since the guest came to stand still */
    size_t calm;  /* how many events of its run state had been told then */
    struct source source;
    struct target target;
};

static inline struct qemu *qemu_of(struct host *host)
{
    return (struct qemu *)host;
}

/* ---- control.c: the process, at either side ---- */

/* Does it live, and do its vCPUs run? */
enum run_state qemu_run_state(struct qemu *vm);

/* Connect to its QMP socket again, if need be. */
bool qemu_reconnect(struct qemu *vm, struct error *err);
void qemu_disconnect(struct qemu *vm);

/* Wait until the process has ended. False: it goes on. */
bool qemu_await_end(struct qemu *vm, uint64_t timeout_ms);

/* Whom QEMU runs as may use the socket at `path`, in the migration's runtime directory. */
bool qemu_let_in(struct qemu *vm, const char *path, uid_t uid, struct error *err);

/* "{dir}/{name}"; the caller frees it. */
char *qemu_join(const char *dir, const char *name);

/* An inode may need all of 64 bits, which a number in JSON has not. */
void qemu_add_inode(cJSON *fact, uint64_t inode);
bool qemu_is_inode(const cJSON *fact, uint64_t inode);

/* ---- disks.c: the source's disks ---- */

bool source_disks_read(struct qemu *vm, struct error *err);
void source_disks_done(struct source *source);
/* images.c: find the file of each layer among those that QEMU has open. */
bool source_images_find(struct qemu *vm, struct error *err);
/* Does the name by which QEMU would open an image anew still lead to it? */
bool source_images_hold(struct qemu *vm, struct error *err);
const struct source_disk *source_disk_find(const struct source *source, const char *name);
/* The id in a device's path, or ""; the caller frees it. */
char *qemu_device_id(const char *qdev);
/* {"name", "size", …}, as the target gets it. */
cJSON *source_disk_params(const struct source_disk *disk, struct error *err);

/* ---- attach.c, describe.c ---- */

bool qemu_attach(struct host *host, const char *name, struct error *err);
bool qemu_describe(struct host *host, cJSON *params, struct error *err);
void qemu_plan_send(struct host *host, struct plan *plan);

/* ---- source.c ---- */

bool qemu_remember(struct host *host, cJSON *facts, struct error *err);
bool qemu_mirror_start(struct host *host, const char *disk, const char *path, struct error *err);
bool qemu_mirror_state(struct host *host, const char *disk, struct mirror_state *state,
                       struct error *err);
bool qemu_mirror_wait(struct host *host, uint64_t timeout_ms, struct error *err);
void qemu_mirror_stop(struct host *host, const char *disk);
void qemu_source_mark(struct host *host, cJSON *fact);
bool qemu_source_is_unwritten(struct host *host, const cJSON *fact, struct error *err);
enum run_state qemu_source_state(struct host *host);
bool qemu_source_resume(struct host *host, struct error *err);
bool qemu_source_destroy(struct host *host, struct error *err);
bool qemu_source_reattach(struct qemu *vm, const cJSON *records, const cJSON *fact,
                          struct error *err);
void qemu_source_done(struct qemu *vm);

/* ---- fence.c ---- */

/* Note in the source's facts which images are fenced, and how; refuse what cannot be. */
bool qemu_fence_describe(struct qemu *vm, struct error *err);
bool qemu_source_fence(struct host *host, struct error *err);
bool qemu_source_unfence(struct host *host, struct error *err);
/* Say what will become of the images that have to keep their names. */
void qemu_fence_plan(const struct qemu *vm, struct plan *plan);
/* Say what has become of the images. */
void qemu_fence_tell(struct qemu *vm);

/* ---- others.c ---- */

/* Note who else has the VM's name, and refuse when somebody else writes to a disk that moves. */
bool qemu_others_check(struct qemu *vm, struct error *err);
bool qemu_nobody_else(struct host *host, struct error *err);
/* At the target: does any QEMU have the disks made here? */
bool qemu_runs_again(struct host *host, char *who, size_t size);

/* ---- ram.c ---- */

bool qemu_ram_send(struct host *host, const char *path, const struct ram_hooks *hooks,
                   struct error *err);
uint64_t qemu_paused_at(struct host *host);
uint64_t qemu_paused_for(struct host *host, bool with_ram);
/* End a migration that is under way, by force if need be. */
bool qemu_ram_cancel(struct qemu *vm, struct error *err);

/* ---- run-state.c: what others do to it ---- */

/* From now on the guest stands still: whatever is told of it on this connection is news. */
void qemu_watch(struct qemu *vm);
/* Before it is paused: does it run, as far as that is not our doing? */
bool qemu_check_runs(struct qemu *vm, struct error *err);
/* It does not run, and was not paused by us: so it stays. Says why in `stopped`. */
bool qemu_is_left_alone(struct qemu *vm, const struct qmp_status *status);
/* The source's QEMU is gone: say why, and where its disks are. */
void qemu_source_has_ended(struct qemu *vm);
bool qemu_source_unchanged(struct host *host, struct error *err);
/* True, with `err`: the old copy, which `runs` now or not, has run. It is paused. */
bool qemu_source_ran(struct qemu *vm, bool runs, struct error *err);
void qemu_remember_sealed(struct host *host, cJSON *facts);
bool qemu_copy_never_ran(struct host *host, struct error *err);

/* ---- check.c: may it come here? ---- */

bool qemu_check_target(struct host *host, const cJSON *params, struct error *err);
/* Does "OPTION help" of the target's QEMU list it? */
bool qemu_check_help(struct qemu *vm, const char *option, const char *wanted, struct error *err);
/* check-line.c: ports; and files of QEMU's own and sound, of which only the program knows. */
bool qemu_check_line(const cJSON *qemu, struct error *err);
bool qemu_check_line_with_program(struct qemu *vm, const cJSON *qemu, struct error *err);
void qemu_plan_recv(struct host *host, struct plan *plan);

/* ---- target.c ---- */

bool qemu_create_machine(struct host *host, struct error *err);
bool qemu_start_device_model(struct host *host, struct error *err);
int qemu_open_lane(struct host *host, const char *name, struct error *err);
bool qemu_flush_disks(struct host *host, struct error *err);
bool qemu_ram_listen(struct host *host, struct error *err);
bool qemu_ram_recv(struct host *host, struct error *err);
bool qemu_seal(struct host *host, struct error *err);
bool qemu_disks_have_names(struct host *host, struct error *err);
bool qemu_before_resume(struct host *host, struct error *err);
bool qemu_target_resume(struct host *host, struct error *err);
void qemu_after_resume(struct host *host);
enum run_state qemu_target_state(struct host *host);
bool qemu_target_destroy(struct host *host, struct error *err);
bool qemu_disks_discard(struct host *host, struct error *err);
bool qemu_disks_keep(struct host *host, struct error *err);
bool qemu_target_reattach(struct qemu *vm, const cJSON *records, struct error *err);
void qemu_target_done(struct qemu *vm);

/* ---- start.c: the target's process ---- */

/* Start the machine of the parameters, paused, and connect to it. */
bool qemu_start(struct qemu *vm, struct error *err);
/* Add the last words of its log to an error that they may explain. Always false. */
bool qemu_explain(struct qemu *vm, struct error *err);
/* Where its sockets are: "qmp", "nbd", "ram"; the caller frees it. */
char *qemu_socket(const struct qemu *vm, const char *name);
/* Remove what a QEMU that was killed leaves: sockets and pid files, ours and its own. */
void qemu_sweep(struct qemu *vm, pid_t pid);

#endif
