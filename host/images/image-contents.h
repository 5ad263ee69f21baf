/* What an image holds besides the guest's blocks: none of it is left behind without a word. */
#ifndef XMIG_HOST_IMAGES_IMAGE_CONTENTS_H
#define XMIG_HOST_IMAGES_IMAGE_CONTENTS_H

#include "xmig/vm.h"

/* Is there anything in the image of this disk, or in those beneath it, that would be lost, and of
 * which --lose says nothing? `inserted` is query-block's.
 *
 * @param bitmaps_travel  those that the running image has do; those beneath it never do
 */
bool image_contents_check(const struct vm_options *options, const char *disk, const cJSON *inserted,
                          bool bitmaps_travel, struct error *err);

/* The same of the bitmaps of a filter above the image (query-named-block-nodes): none travels. */
bool image_contents_check_filter(const struct vm_options *options, const char *disk,
                                 const cJSON *node, struct error *err);

/* The names of the bitmaps that travel, an array that the caller frees; with `*persistent`, is one
 * of them kept in the image?
 */
cJSON *image_contents_bitmaps(const struct vm_options *options, const char *disk,
                              const cJSON *inserted, bool *persistent);

/* Add to a "block-bitmap-mapping" how each bitmap of this disk is called on the way. */
void image_contents_map(cJSON *mapping, const char *node, const char *disk, const cJSON *bitmaps);

#endif
