/* The copy: a domain at the target. */
#ifndef XMIG_HOST_XEN_COPY_COPY_H
#define XMIG_HOST_XEN_COPY_COPY_H

#include "host/hypervisors.h"
#include "host/images/disk-images.h"
#include "host/xen/argv/argv.h"
#include "host/xen/ground/connection.h"
#include "host/xen/params.h"
#include "xmig/copy.h"

struct xen_copy {
    struct copy base;
    struct xen xen;
    struct xen_params params;
    char *name; /* its name when it runs */
    struct disk_images images;
    struct child *child; /* the device model; NULL, with no pid: a PVH guest may have none */
    pid_t pid;
    uint64_t start_time;
    char *program;
    struct argv_result line; /* what its command line does here */
    cJSON *files;            /* the fact of the files that it has made; NULL */
    char *log;               /* the device model's log file */
    cJSON *notes;            /* for the plan: an array of strings */
    int ram;                 /* xmig's end of the lane "ram"; -1: none */
    int ram_lane;            /* the end for whoever opens the lane; -1: none */
    uint32_t store_port, console_port;
    unsigned long store_gfn, console_gfn;
    char *device_state;
    size_t device_state_size;
    struct volume_export *exports; /* a list */
    cJSON *servers;                /* facts of their processes; NULL: none */
    bool restored;
    uint32_t domid_before_boot; /* its number, if the host has booted since; 0: it has not */
};

static inline struct xen_copy *xen_copy_of(struct copy *copy)
{
    return (struct xen_copy *)copy;
}

/* libxl's "b_info" of the source's domain. */
static inline const cJSON *xen_build_info(const struct xen_copy *vm)
{
    return json_get(vm->params.xen.config, "b_info");
}

struct copy *xen_copy_new(void);

/* ---- needs.c ---- */

bool xen_needs(const struct copy *copy, const cJSON *params, struct needs *needs,
               struct error *err);

/* ---- check.c: may it come here? ---- */

/* The device model that the parameters mean here; NULL: there is none. The caller frees it. */
char *xen_find_program(const struct xen_domain *xen, const struct policy *policy);
bool xen_check_target(struct copy *copy, const cJSON *params, struct error *err);
void xen_plan_recv(struct copy *copy, struct plan *plan);
/* check-disks.c: disks, and what lies in CD-ROM drives */
bool xen_check_disks(struct xen_copy *vm, struct error *err);
bool xen_check_media(struct xen_copy *vm, struct error *err);

/* check-arrived.c: what it would start, write and lead to here, whatever the source says of it */
bool xen_check_arrived(struct xen_copy *vm, struct error *err);

/* ---- create.c: the empty domain ---- */

bool xen_create_machine(struct copy *copy, struct error *err);
/* The most pages of 4 KiB that the guest may have at the target before it runs there. */
uint64_t xen_most_pages(const struct xen_copy *vm);
bool xen_limit_memory(struct xen_copy *vm, uint64_t pages, struct error *err);

/* ---- vbd-nodes.c: who serves a disk or a medium here ---- */

/* Its path here; "": the drive is empty. */
const char *vbd_image(const struct xen_copy *vm, const struct xen_device *device);
/* "vbd": dom0's kernel serves it; "qdisk": the device model. Of other devices, as at the source. */
const char *vbd_backend(const struct xen_copy *vm, const struct xen_device *device);
/* The same of the disk or medium called `name`. */
bool vbd_is_kernels(const struct xen_copy *vm, const char *name);
/* The numbers of its block device; 0: it is none. */
dev_t vbd_number(const struct xen_copy *vm, const struct xen_device *device);
/* Make the source's keys those that are to be written here. */
void vbd_write_keys(const struct xen_copy *vm, const struct xen_device *device, cJSON *keys);

/* ---- devices.c: their nodes ---- */

/* The devices that the device model must find when it starts. */
bool devices_write_early(struct xen_copy *vm, struct error *err);
bool devices_write_vifs(struct xen_copy *vm, struct error *err);
/* Wait until each disk's backend has opened its image. */
bool devices_await_disks(struct xen_copy *vm, struct error *err);
bool devices_remove(struct xen_copy *vm, struct error *err);

/* ---- device-model.c ---- */

bool xen_start_device_model(struct copy *copy, struct error *err);
/* After the handover; fine if there is none. */
bool device_model_goes_on(struct xen_copy *vm, struct error *err);
bool device_model_end(struct xen_copy *vm, struct error *err);
/* Add the last line of its log to an error, which that line may explain. */
void device_model_explain(struct xen_copy *vm, struct error *err);

/* ---- exports.c ---- */

bool exports_open(struct xen_copy *vm, struct error *err);
/* From here on only the device model writes to the images. */
bool exports_close(struct xen_copy *vm, struct error *err);

/* ---- toolstack-view.c: what libxl and its tools look at ---- */

/* Write all that does not depend on the guest's memory. */
bool toolstack_view_write(struct xen_copy *vm, struct error *err);
/* Write the rest: where in the guest's memory the rings of xenstore and the console are. */
bool toolstack_view_write_rings(struct xen_copy *vm, struct error *err);

/* ---- volume-exports.c: of disks that the device model has not opened ---- */

/* Can there be any here? */
bool volume_export_check(struct error *err);
bool volume_export_start(struct xen_copy *vm, const struct disk_params *disk, struct error *err);
/* The lane of a disk whose export was started: `*fd` is the caller's; -1, with an error: it cannot
 * be. False: this disk's was not. Does not wait.
 */
bool volume_export_open(struct xen_copy *vm, const char *disk, int *fd, struct error *err);
/* The lanes have ended: wait until all that came by them is on the devices. */
bool volume_exports_close(struct xen_copy *vm, struct error *err);
/* The journal's fact of one that was started. */
void volume_exports_found(struct xen_copy *vm, const cJSON *fact);
/* The copy is given up: end them, also those that a dead process has started. */
bool volume_exports_end(struct xen_copy *vm, struct error *err);
void volume_exports_done(struct xen_copy *vm);

/* ---- hotplug.c ---- */

/* Run the scripts that join the guest's network interfaces to a bridge, or part them. */
enum hotplug_step {
    HOTPLUG_ONLINE, /* PV interfaces: no frame passes before the guest runs */
    HOTPLUG_TAP,    /* emulated interfaces: only after the guest was handed over */
    HOTPLUG_OFFLINE /* all interfaces */
};
bool hotplug_vifs(struct xen_copy *vm, enum hotplug_step step, struct error *err);

/* ---- ram-recv.c ---- */

int xen_open_lane(struct copy *copy, const char *name, struct error *err);
bool xen_flush_disks(struct copy *copy, struct error *err);
bool xen_ram_listen(struct copy *copy, struct error *err);
bool xen_ram_recv(struct copy *copy, struct error *err);
void xen_ram_close(struct xen_copy *vm);

/* ---- load-device-state.c: the domain becomes complete ---- */

bool xen_seal(struct copy *copy, struct error *err);

/* ---- run-state.c ---- */

enum run_state xen_copy_state(struct copy *copy);
bool xen_copy_never_ran(struct copy *copy, struct error *err);
bool xen_copy_runs_again(struct copy *copy, char *who, size_t size);

/* ---- resume.c, announce.c ---- */

bool xen_before_resume(struct copy *copy, struct error *err);
bool xen_copy_resume(struct copy *copy, struct error *err);
void xen_after_resume(struct copy *copy);
/* Tell switches where the guest's network interfaces are now: the PV ones at once, the emulated
 * ones when they are joined to their bridges.
 */
void announce_pv(struct xen_copy *vm);
void announce_emulated(struct xen_copy *vm);

/* ---- destroy.c ---- */

bool xen_copy_destroy(struct copy *copy, struct error *err);

#endif
