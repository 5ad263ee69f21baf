/* Proof that an image is the same one at both hosts (--without drive-mirror): a move onto
 * another file of the same name would start the guest on a strange disk.
 */
#ifndef XMIG_HOST_IMAGES_SHARED_IMAGES_H
#define XMIG_HOST_IMAGES_SHARED_IMAGES_H

#include "host/images/disk-params.h"

/* Source: add to `disk` what proves that `image` is this one, or that it is so by somebody's
 * `word`. For a file that is another file beside it, whose name is added to the list `*proofs`
 * (NULL at first) also on failure: the caller removes the files once the target has looked, and
 * frees the list, from which `disk` borrows.
 */
bool shared_offer(const char *image, const char *id, bool word, struct disk_params *disk,
                  cJSON **proofs, struct error *err);

/* Target: is the disk's image the same one here? */
bool shared_prove(const struct disk_params *disk, struct error *err);

#endif
