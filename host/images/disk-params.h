/* A disk as the source describes it to the target: one of the parameters' "disks". */
#ifndef XMIG_HOST_IMAGES_DISK_PARAMS_H
#define XMIG_HOST_IMAGES_DISK_PARAMS_H

#include "xmig/fields.h"

struct disk_params {
    const char *name;         /* for people, lanes and exports */
    uint64_t size;            /* virtual bytes */
    uint64_t allocated;       /* by the image and all that lies beneath it */
    uint64_t sector;          /* bytes of its device's sectors, as the guest knows them; 0: any */
    uint64_t written;         /* bytes that will be written at the target; DISK_WRITTEN_UNKNOWN */
    const char *source;       /* the image at the source */
    const char *image;        /* … and at the target */
    const char *format;       /* of that; NULL: none is made, for both hosts share the image */
    const cJSON *options;     /* of a qcow2 image, as qemu-img takes them; NULL: its own */
    const cJSON *bitmaps;     /* names of those that travel; NULL: none */
    bool full;                /* a raw image that is to be allocated in full */
    bool unmaps;              /* its drive gives back what is unmapped */
    bool skips_zeroes;        /* the source's mirror does not send zeroes */
    bool makes_volume;        /* `image` is a logical volume that the target makes */
    bool overwrite;           /* --overwrite: what a block device holds is of no use */
    uint64_t mode, uid, gid;  /* owner and rights; the names go before the numbers */
    const char *user, *group; /* NULL: they have no names at the source */
    /* By which QEMU's block device is found: the drive's name, the device, the node; or "". */
    const char *drive, *qdev, *node;
    /* What proves that an image which both hosts share is the same: shared-images.c */
    char device_identity[256], nonce[33];
    const char *proof;
    bool shared_by_word;
    /* Not of the parameters: the larger block device of which `image` is a mapping; NULL: it is not
     */
    const char *device;
    char *mapping; /* that path, which is freed by disk_images_done() */
};

#define DISK_WRITTEN_UNKNOWN UINT64_MAX

extern const struct field disk_fields[];

/* Read a whole array of disks, which was read as FIELD_EACH. The disks, after which comes one
 * without a name, are the caller's to free; NULL: two have the same name.
 */
struct disk_params *disk_params_all(const cJSON *disks, size_t *count, struct error *err);

#endif
