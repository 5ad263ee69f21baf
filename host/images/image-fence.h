/* The fence around the old copy's images: from COMMIT on its start line cannot open them. Files
 * get another name; a block device is made read-only, which QEMU looks at when it opens one to
 * write.
 *
 * `images` are facts of the journal, one for each image: {"path", "inode", "fence"}; `id` is the
 * migration's.
 */
#ifndef XMIG_HOST_IMAGES_IMAGE_FENCE_H
#define XMIG_HOST_IMAGES_IMAGE_FENCE_H

#include "host/system/others.h"
#include "xmig/event.h"
#include "xmig/plan.h"

/* Add the fact of an image; refuse what could not be fenced. `shared`: both hosts use it, and it
 * is left alone.
 */
bool image_fence_add(cJSON *images, const char *path, bool shared, struct error *err);

/* Of the image added last: its hypervisor will open it by its name once more. */
void image_fence_opened_anew(cJSON *images);

/* Does the name of each of those lead to it? */
bool image_fence_names_hold(const cJSON *images, struct error *err);

/* All of them, durably; or back, as far as that can be. What is so already is left so. */
bool image_fence_set(const cJSON *images, const char *id, bool on, struct error *err);

/* The name that the fence has given the image, if the image has that now; else NULL. The caller
 * frees it.
 */
char *image_fence_moved(const cJSON *fact, const char *id);

/* Each by what its name, or the one that the fence has given it, leads to; the caller frees it. */
struct image_identity *image_fence_identities(const cJSON *images, const char *id, size_t *count);

/* "'/a', '/b'": the names that they had before the fence. */
void image_fence_names(const cJSON *images, char *out, size_t size);

/* Say what will become, or has become, of those that need a person's care; `cure` is what to do. */
void image_fence_plan(const cJSON *images, const char *cure, struct plan *plan);
void image_fence_tell(const cJSON *images, const char *id, const char *cure,
                      const struct event_sink *events);

#endif
