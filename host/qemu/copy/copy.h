/* A copy that is a plain QEMU process. */
#ifndef XMIG_HOST_QEMU_COPY_COPY_H
#define XMIG_HOST_QEMU_COPY_COPY_H

#include "host/images/disk-images.h"
#include "host/qemu/argv/argv.h"
#include "host/qemu/params.h"
#include "host/qemu/qemu.h"
#include "qmp/nbd-exports.h"
#include "xmig/copy.h"

enum {
    QEMU_HELP_MS = 20000 /* for a program to start, say what it knows, and end */
};

struct qemu_copy {
    struct copy base;
    struct qemu qemu;
    struct qemu_params params;
    uid_t uid;    /* the user as whom QEMU runs, also if it drops privileges later */
    bool as_self; /* it is started with our own rights */
    struct child *child;
    char *program;
    cJSON *help;  /* what the program has printed, by question; NULL: it was not asked */
    cJSON *words; /* the command line, as this program and its disks have it; NULL: not yet */
    char *log;
    struct disk_images images;
    struct nbd_exports *exports; /* of those; NULL: there are none, or not any more */
    struct argv_result line;     /* what the command line does here */
    cJSON *machine;              /* the fact of the machine started here; NULL */
    struct child *tpm_child;     /* swtpm; NULL: the VM has no TPM, or another process started it */
    cJSON *tpm;                  /* its fact; NULL */
    cJSON *files;                /* the fact of the files that it has made; NULL */
    cJSON *sealed;               /* PREPARED's facts; NULL */
    cJSON *ports;                /* facts of the taps made ports of a bridge here; NULL */
    cJSON *settings;             /* QEMU's own for migrations; NULL: not known */
    cJSON *notes;                /* for the plan: an array of strings */
};

static inline struct qemu_copy *qemu_copy_of(struct copy *copy)
{
    return (struct qemu_copy *)copy;
}

/* ---- check.c: may it come here? ---- */

bool qemu_check_target(struct copy *copy, const cJSON *params, struct error *err);
/* help.c: what the target's QEMU prints for "-OPTION WHAT" (WHAT may be NULL), borrowed; NULL: it
 * fails.
 */
const char *qemu_help(struct qemu_copy *vm, const char *option, const char *what,
                      struct error *err);
/* Does "-OPTION help" list it? */
bool qemu_check_help(struct qemu_copy *vm, const char *option, const char *wanted,
                     struct error *err);
/* check-known.c: translate the command line, and look whether this QEMU knows all of it. */
bool qemu_check_known(struct qemu_copy *vm, struct error *err);
/* check-line.c: ports; and files of QEMU's own and sound, of which only the program knows. */
bool qemu_check_line(const struct qemu_machine *qemu, struct error *err);
bool qemu_check_line_with_program(struct qemu_copy *vm, struct error *err);
void qemu_plan_recv(struct copy *copy, struct plan *plan);
/* queues.c: virtqueues that are longer than the command line makes them here. The words that let
 * them in are the caller's to free.
 */
bool queues_check(const struct qemu_copy *vm, struct error *err);
cJSON *queues_let_in(const struct qemu_copy *vm);
/* check-devices.c: devices of whose state QEMU knows nothing here; with the program, and once it
 * runs. */
bool devices_check(const struct qemu_copy *vm, struct error *err);
bool devices_can_arrive(struct qemu_copy *vm, struct error *err);
/* check-offloads.c; for a kernel of that release. */
bool offloads_check(const struct qemu_copy *vm, struct error *err);
bool offloads_check_for(const struct qemu_machine *qemu, const char *release, struct error *err);
/* check-arrived.c: the command line, whatever the source says of it. */
bool qemu_check_arrived(struct qemu_copy *vm, struct error *err);
void qemu_plan_line(const struct qemu_copy *vm, struct plan *plan);

/* ---- needs.c ---- */

bool qemu_needs(const struct copy *copy, const cJSON *params, struct needs *needs,
                struct error *err);

/* ---- target.c ---- */

bool qemu_create_machine(struct copy *copy, struct error *err);
bool qemu_start_device_model(struct copy *copy, struct error *err);
int qemu_open_lane(struct copy *copy, const char *name, struct error *err);
bool qemu_flush_disks(struct copy *copy, struct error *err);
bool qemu_ram_listen(struct copy *copy, struct error *err);
bool qemu_ram_recv(struct copy *copy, struct error *err);
bool qemu_seal(struct copy *copy, struct error *err);
bool qemu_disks_have_names(struct copy *copy, struct error *err);
bool qemu_before_resume(struct copy *copy, struct error *err);
bool qemu_copy_resume(struct copy *copy, struct error *err);
void qemu_after_resume(struct copy *copy);
enum run_state qemu_copy_state(struct copy *copy);
bool qemu_copy_destroy(struct copy *copy, struct error *err);
bool qemu_disks_discard(struct copy *copy, struct error *err);
bool qemu_disks_keep(struct copy *copy, struct error *err);
bool qemu_copy_reattach(struct qemu_copy *vm, const cJSON *records, struct error *err);
void qemu_copy_done(struct qemu_copy *vm);

/* ---- start.c: the target's process ---- */

/* Start the machine of the parameters, paused, and connect to it. */
bool qemu_start(struct qemu_copy *vm, struct error *err);
/* start-line.c: write down what starts it at boot. */
bool qemu_write_start_line(const struct qemu_copy *vm, struct error *err);
/* Add the last words of its log to an error that they may explain. Always false. */
bool qemu_explain(struct qemu_copy *vm, struct error *err);

/* ---- tpm.c: the program that emulates its TPM ---- */

bool tpm_check(const struct qemu_copy *vm, struct error *err);
void tpm_needs(const cJSON *tpms, const struct policy *policy, struct needs *needs);
void tpm_plan(const struct qemu_copy *vm, struct plan *plan);
/* Its command line, with the program, which the caller frees; NULL: the VM has no TPM. */
cJSON *tpm_words(const struct qemu_copy *vm);
bool tpm_start(struct qemu_copy *vm, struct error *err);
/* End it, once QEMU has ended, and remove its state. */
bool tpm_stop(struct qemu_copy *vm, struct error *err);

/* ---- files.c: what it leaves in the file system ---- */

/* Where its sockets are: "qmp", "nbd", "ram"; the caller frees it. */
char *qemu_socket(const struct qemu_copy *vm, const char *name);
/* It has made the files of its line: note what they are known by. */
bool qemu_note_files(struct qemu_copy *vm, struct error *err);
/* The same after a crash before that, while it lives. */
void qemu_look_at_files(struct qemu_copy *vm);
/* It is gone: remove them, and our own sockets. */
void qemu_sweep(struct qemu_copy *vm);

/* ---- never-ran.c, runs-again.c ---- */

void qemu_remember_sealed(struct copy *copy, cJSON *facts);
bool qemu_copy_never_ran(struct copy *copy, struct error *err);
bool qemu_copy_runs_again(struct copy *copy, char *who, size_t size);

#endif
