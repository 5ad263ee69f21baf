/* A QEMU process, at either side. */
#ifndef XMIG_HOST_QEMU_QEMU_H
#define XMIG_HOST_QEMU_QEMU_H

#include <sys/stat.h>

#include "host/hypervisors.h"
#include "host/qemu/argv/argv.h"
#include "host/qemu/find.h"
#include "qmp/commands.h"
#include "xmig/vm.h"

struct qemu {
    const struct vm_context *context; /* the guest's or the copy's */
    struct qmp *q;                    /* NULL: not connected */
    char *socket;                     /* of QMP */
    pid_t pid;                        /* 0: none */
    uint64_t start_time;
    bool watched; /* on this connection since the guest came to stand still */
    size_t calm;  /* how many events of its run state had been told then */
};

struct guest *qemu_guest_new(void);
struct copy *qemu_copy_new(void);

/* ---- process.c ---- */

/* Does it live, and do its vCPUs run? */
enum run_state qemu_run_state(struct qemu *vm);

/* Connect to its QMP socket again, if need be. */
bool qemu_reconnect(struct qemu *vm, struct error *err);
void qemu_disconnect(struct qemu *vm);

/* Wait until the process has ended. False: it goes on. */
bool qemu_await_end(struct qemu *vm, uint64_t timeout_ms);

/* Let the user `uid`, as whom QEMU runs, use `path` in the migration's runtime directory. */
bool qemu_let_in(struct qemu *vm, const char *path, uid_t uid, struct error *err);

/* The id in a device's path, or ""; the caller frees it. */
char *qemu_device_id(const char *qdev);

/* ---- has-run.c ---- */

/* From now on the guest is paused: count every later event of its run state. */
void qemu_watch(struct qemu *vm);
bool qemu_is_watched(const struct qemu *vm);
/* Has no such event come since? */
bool qemu_is_calm(const struct qemu *vm);
/* Add to `facts` how long the vCPUs have run; and: have they run no longer since? ERROR_SYSTEM:
 * that was not noted.
 */
void qemu_add_cpus(struct qemu *vm, cJSON *facts);
bool qemu_cpus_are_as(const struct qemu *vm, const cJSON *facts, struct error *err);

/* ---- pci.c ---- */

/* {"ID": "4.0"}; the caller frees it. */
cJSON *pci_slots(struct qemu *vm, struct error *err);
/* At the target: is each device where it is at the source? */
bool pci_check(struct qemu *vm, const cJSON *there, struct error *err);

#endif
