/* What QEMU's query-block tells of the images behind a drive (BlockDeviceInfo, ImageInfo). */
#ifndef XMIG_QMP_BLOCK_IMAGE_H
#define XMIG_QMP_BLOCK_IMAGE_H

#include "xmig/json.h"

/* Does a node of this driver only pass on what lies beneath it, as a throttle does? */
bool block_is_filter(const char *driver);

/* The first image that is no filter, from `image` downwards; NULL: there is none. */
const cJSON *block_image_beneath(const cJSON *image);

/* The image on which this one lies, filters left out; NULL: none. */
const cJSON *block_image_next(const cJSON *image);

/* The file of an image, or QEMU's whole name for it if that is no file's. A name like
 * "json:{…}", by which QEMU calls an image that has options of its own, has the file in it. The
 * caller frees it.
 */
char *block_image_file(const cJSON *image);

/* Of `nodes` (query-named-block-nodes) that which holds the data of a drive, which is `inserted`
 * unless filters lie above the image.
 */
const cJSON *block_node_beneath(const cJSON *nodes, const cJSON *inserted);

#endif
