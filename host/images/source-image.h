/* What the target must know of a source's image to make it anew. */
#ifndef XMIG_HOST_IMAGES_SOURCE_IMAGE_H
#define XMIG_HOST_IMAGES_SOURCE_IMAGE_H

#include "host/images/disk-params.h"
#include "xmig/vm.h"

/* The format's options, from QEMU's ImageInfo, where they differ from what qemu-img would
 * choose. The caller frees the object.
 */
cJSON *source_image_options(const char *format, const cJSON *image);

/* Can an image of this format be made at the target? */
bool source_image_check(const char *format, const cJSON *image, struct error *err);

/* --overwrite: only where --disk says which block device. */
bool source_image_check_overwrite(const struct vm_options *options, struct error *err);

/* Where the image of disk `name` of the VM `vm` shall lie at the target; the caller frees it. */
char *source_image_target(const struct vm_options *options, const char *name, const char *path,
                          bool is_block_device, const char *vm, struct error *err);

/* Is that a volume that the target makes: --create-volumes? */
bool source_image_makes_volume(const struct vm_options *options, const char *name,
                               bool is_block_device);

/* Add owner and rights: the names are borrowed until the next call. A new file for a block device
 * is the superuser's alone.
 */
bool source_image_add_owner(struct disk_params *disk, const char *path, struct error *err);

#endif
