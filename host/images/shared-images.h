/* Proof that an image is the same one at both hosts (--without drive-mirror): a move onto
 * another file of the same name would start the guest on a strange disk.
 */
#ifndef XMIG_HOST_IMAGES_SHARED_IMAGES_H
#define XMIG_HOST_IMAGES_SHARED_IMAGES_H

#include "xmig/json.h"

/* Source: add to `params` what proves that `image` is this one, or that it is so by somebody's
 * `word`. For a file that is another
 * file beside it, whose name is returned in `*nonce` (the caller frees it, and removes the
 * file once the target has looked).
 */
bool shared_offer(const char *image, const char *id, bool word, cJSON *params, char **nonce,
                  struct error *err);

/* Target: is the image that `params` names the same one here? */
bool shared_prove(const cJSON *params, struct error *err);

#endif
