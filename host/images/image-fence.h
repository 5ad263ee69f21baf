/* The fence around the old copy's images: from COMMIT on the VM's command line cannot open them.
 * Image files get another name; a block device is made read-only, which QEMU checks when it opens
 * a device to write.
 *
 * `images` are facts of the journal, one for each image: {"path", "inode", "fence"}; `id` is the
 * migration's.
 */
#ifndef XMIG_HOST_IMAGES_IMAGE_FENCE_H
#define XMIG_HOST_IMAGES_IMAGE_FENCE_H

#include "host/system/image-users.h"
#include "xmig/event.h"
#include "xmig/plan.h"

/* Add the fact of an image; refuse an image that could not be fenced. `shared`: both hosts use
 * the image, so the fence leaves it alone.
 */
bool image_fence_add(cJSON *images, const char *path, bool shared, struct error *err);

/* Mark the image added last: its hypervisor will open it by its name again. */
void image_fence_opened_anew(cJSON *images);

/* Does the name of each marked image still lead to it? */
bool image_fence_names_hold(const cJSON *images, struct error *err);

/* Fence all images, durably, or unfence as many as possible. One already so is left as it is. */
bool image_fence_set(const cJSON *images, const char *id, bool on, struct error *err);

/* The name that the fence has given the image, if the image has that name now; else NULL. The
 * caller frees it.
 */
char *image_fence_moved(const cJSON *fact, const char *id);

/* One identity per image, found by its own or its fenced name; the caller frees the array. */
struct image_identity *image_fence_identities(const cJSON *images, const char *id, size_t *count);

/* The images' names before the fence, as "'/a', '/b'". */
void image_fence_names(const cJSON *images, char *out, size_t size);

/* Say what the fence will do, or has done, that a person should know; `cure` is what to do. */
void image_fence_plan(const cJSON *images, const char *cure, struct plan *plan);
void image_fence_tell(const cJSON *images, const char *id, const char *cure,
                      const struct event_sink *events);

#endif
