/* What an image is like at a moment, so that it can be said later whether anybody has written
 * to it since.
 */
#ifndef XMIG_HOST_IMAGES_IMAGE_MARK_H
#define XMIG_HOST_IMAGES_IMAGE_MARK_H

#include <stdbool.h>

#include "xmig/json.h"

/* Append the mark of the image at `path` to `marks`. */
void image_mark_add(cJSON *marks, const char *path);

/* Append that for the image at `path` there can be none, and why. */
void image_mark_add_none(cJSON *marks, const char *path, const char *why);

/* Is every image as its mark says? False: ERROR_REFUSED, somebody has written to one, or it is
 * another file; ERROR_SYSTEM, that cannot be told.
 */
bool image_marks_hold(const cJSON *marks, struct error *err);

#endif
