/* The disk images that a target makes, or the block devices that it is given for them. Shared by
 * all hosts whose disks are files. */
#ifndef XMIG_HOST_IMAGES_DISK_IMAGES_H
#define XMIG_HOST_IMAGES_DISK_IMAGES_H

#include "host/images/disk-params.h"
#include "xmig/vm.h"

/* As one number. */
#define QEMU_VERSION(MAJOR, MINOR) ((MAJOR)*100 + (MINOR))

struct disk_images {
    const struct vm_context *context; /* borrowed */
    unsigned qemu;                    /* QEMU_VERSION() of what will write them; 0: not known */
    bool maps_larger; /* of a larger block device the guest is shown a mapping, or by QEMU a part */
    struct disk_params *disks;
    size_t disk_count;
    int *held; /* descriptors of block devices that nobody else may use meanwhile */
    size_t held_count;
    cJSON *facts; /* what the journal knows of those made here */
};

void disk_images_init(struct disk_images *images, const struct vm_context *context);
void disk_images_done(struct disk_images *images);

/* Take the disks of the parameters, an array that was read as FIELD_EACH and stays valid. */
bool disk_images_take(struct disk_images *images, const cJSON *disks, struct error *err);

/* May the image of this disk be made? Touches nothing. */
bool disk_images_check(const struct disk_images *images, const struct disk_params *disk,
                       struct error *err);

/* Of a block device that is larger than this disk the guest is shown a mapping: it is `image` from
 * now on, and the device `device`.
 */
void disk_images_settle(const struct disk_images *images, struct disk_params *disk);

/* The disk of that name, or NULL. */
const struct disk_params *disk_images_find(const struct disk_images *images, const char *name);

/* Tell what is done with each. */
void disk_images_plan(const struct disk_images *images, struct plan *plan);

/* Make them all, noting each before anything could be mistaken for it. */
bool disk_images_create(struct disk_images *images, struct error *err);

/* The name under which the image of this fact of the journal is kept, if it is that image; else
 * NULL. The caller frees it.
 */
char *disk_images_kept(const cJSON *fact, const char *id);

/* Delete what was made here, and nothing else that may have come to bear its name; or keep
 * it, under a name that tells what it is.
 */
bool disk_images_discard(struct disk_images *images, struct error *err);
bool disk_images_keep(struct disk_images *images, struct error *err);

/* Bring everything to the disk, without holding up the loop. */
bool disk_images_sync(struct disk_images *images, struct error *err);

/* Does each name still lead to the image that was made for it? */
bool disk_images_have_names(const struct disk_images *images, struct error *err);

/* Find again what the journal's records tell of. */
void disk_images_reattach(struct disk_images *images, const cJSON *records);

#endif
