/* What a domain tells its copy: the parameters, as structs. xen_describe() fills them in;
 * xen_params_read() is where the target takes them from the peer.
 */
#ifndef XMIG_HOST_XEN_PARAMS_H
#define XMIG_HOST_XEN_PARAMS_H

#include "host/images/disk-params.h"
#include "host/images/file-hash.h"

/* A device's nodes in xenstore. */
struct xen_device {
    const char *kind, *id, *backend;           /* "vbd", "768", "qdisk" */
    const cJSON *backend_keys, *frontend_keys; /* names and values */
    bool is_connected;                         /* the guest uses it by its PV driver */
};

/* What lies in a CD-ROM drive. */
struct xen_medium {
    const char *name, *id, *drive; /* "hdc", "5632", "ide-5632" */
    const char *source;            /* at the source; "": the drive is empty */
    const char *image;             /* at the target; "": the drive is to be empty */
};

/* A share of the processors. */
struct xen_schedule {
    uint64_t scheduler; /* XEN_SCHEDULER_…; XEN_SCHEDULER_UNKNOWN */
    uint64_t weight, cap;
};

#define XEN_SCHEDULER_UNKNOWN UINT64_MAX

/* The processor that the guest was promised, as Xen serialises it, in hexadecimal digits. */
struct xen_cpu_policy {
    const char *leaves, *msrs;
};

struct xen_domain {
    /* The device model. */
    const char *machine, *program;
    bool program_chosen; /* by --device-model */
    uint64_t umask;
    uint64_t qemu_major, qemu_minor;
    uint64_t program_size, program_time; /* 0: not known */
    const cJSON *words;                  /* its command line */
    const cJSON *needs;                  /* paths of files that it reads */
    const cJSON *hashes;                 /* struct needed_file: they and the media */
    const cJSON *renamed;                /* arguments that are others at the target: OLD → NEW */
    /* The domain. */
    uint64_t domid; /* at the source */
    const char *uuid, *boot, *source_name;
    const char *rtc_timeoffset;                  /* that the guest has given its clock; "" */
    const cJSON *control, *platform, *hvmloader; /* nodes that the guest has read or written */
    const cJSON *config;                         /* libxl's */
    const cJSON *devices;                        /* struct xen_device */
    const cJSON *media;                          /* struct xen_medium */
    uint64_t memory_target, videoram;            /* KiB */
    /* What only Xen knows. */
    uint64_t xen_major, xen_minor;
    uint64_t vcpus, pages, max_pages, paging_pool, emulation, tsc_mode;
    uint64_t hpet, vpt_align, timer_mode, altp2m;
    bool hap;
    struct xen_schedule schedule;
    struct xen_cpu_policy cpu_policy;
};

struct xen_params {
    const char *name;
    uint64_t memory;    /* bytes */
    const cJSON *disks; /* struct disk_params */
    struct xen_domain xen;
};

extern const struct field xen_device_fields[], xen_medium_fields[], xen_fields[];

/* Is one of `media` called so? */
bool media_find(const cJSON *media, const char *name, struct xen_medium *medium);

/* All is borrowed from `json`. */
bool xen_params_read(const cJSON *json, struct xen_params *params, struct error *err);

#endif
