/* A copy that is a domain of Xen's. */
#ifndef XMIG_HOST_XEN_COPY_COPY_H
#define XMIG_HOST_XEN_COPY_COPY_H

#include "host/hypervisors.h"
#include "host/images/disk-images.h"
#include "host/xen/ground/connection.h"
#include "xmig/copy.h"

struct xen_copy {
    struct copy base;
    struct xen xen;
    cJSON *params;         /* a copy, which says what becomes of the disks here */
    const cJSON *original; /* the source's domain, as the parameters describe it; borrowed */
    char *name;            /* what it shall be called when it runs */
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
    uint32_t domid_before_boot; /* and the host has booted since; 0: it has not */
};

static inline struct xen_copy *xen_copy_of(struct copy *copy)
{
    return (struct xen_copy *)copy;
}

/* A number of the source's domain; 0: not known. */
static inline uint64_t xen_original_number(const struct xen_copy *vm, const char *name)
{
    return json_uint_or(vm->original, name, 0);
}

/* libxl's "b_info" of the source's domain. */
static inline const cJSON *xen_original_build_info(const struct xen_copy *vm)
{
    return xen_get(xen_get(vm->original, "config"), "b_info");
}

struct copy *xen_copy_new(void);

/* ---- check.c: may it come here? ---- */

bool xen_check_target(struct copy *copy, const cJSON *params, struct error *err);
void xen_plan_recv(struct copy *copy, struct plan *plan);
/* check-disks.c: disks, and what lies in CD-ROM drives */
bool xen_check_disks(struct xen_copy *vm, struct error *err);
bool xen_check_media(const cJSON *media, struct error *err);

/* ---- create.c: the empty domain ---- */

bool xen_create_machine(struct copy *copy, struct error *err);
/* Pages of 4 KiB that the guest may come to have at the target before it runs there. */
uint64_t xen_most_pages(const struct xen_copy *vm);
bool xen_limit_memory(struct xen_copy *vm, uint64_t pages, struct error *err);

/* ---- devices.c: their nodes ---- */

/* Those that the device model is to find when it starts. */
bool devices_write_early(struct xen_copy *vm, struct error *err);
bool devices_write_vifs(struct xen_copy *vm, struct error *err);
/* Wait until each disk's backend has opened its image. */
bool devices_await_disks(struct xen_copy *vm, struct error *err);
bool devices_remove(struct xen_copy *vm, struct error *err);

/* ---- device-model.c ---- */

bool xen_start_device_model(struct copy *copy, struct error *err);
bool device_model_end(struct xen_copy *vm, struct error *err);
/* Add the last words of its log to an error that they may explain. */
void device_model_explain(struct xen_copy *vm, struct error *err);

/* ---- exports.c ---- */

bool exports_open(struct xen_copy *vm, struct error *err);
/* From here on the images are the device model's alone. */
bool exports_close(struct xen_copy *vm, struct error *err);

/* ---- toolstack-view.c: what libxl and its tools look at ---- */

/* Write what can be known before the guest's memory is here. */
bool toolstack_view_write(struct xen_copy *vm, struct error *err);
/* The rest: where in it xenstore and the console are. */
bool toolstack_view_write_rings(struct xen_copy *vm, struct error *err);

/* ---- hotplug.c ---- */

/* Run the scripts that join the guest's network interfaces to a bridge, or part them. */
enum hotplug_step {
    HOTPLUG_ONLINE, /* those of PV drivers: nothing comes through before the guest runs */
    HOTPLUG_TAP,    /* the emulated ones: only when the guest is ours, for the device model
                     * has its own say when it loads its state
                     */
    HOTPLUG_OFFLINE /* all */
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
/* Tell switches where the guest's network interfaces are now: at once, and when those that are
 * emulated are joined to their bridges.
 */
void announce_pv(struct xen_copy *vm);
void announce_emulated(struct xen_copy *vm);

/* ---- destroy.c ---- */

bool xen_copy_destroy(struct copy *copy, struct error *err);

#endif
