/* Does a file hold the same at both hosts? Its size does not tell. */
#ifndef XMIG_HOST_IMAGES_FILE_HASH_H
#define XMIG_HOST_IMAGES_FILE_HASH_H

#include "xmig/vm.h"

enum {
    FILE_HASH_SIZE = 65 /* SHA-256 in hex */
};

/* All of the file, or block device, is read, in a thread: the loop lives meanwhile. Gives up after
 * ten minutes.
 */
bool file_hash(struct loop *loop, const char *path, char hash[FILE_HASH_SIZE], struct error *err);

/* At the source: add "size" and "sha256" of a file or block device to `need`, unless --trust names
 * it.
 */
bool file_hash_describe(const struct vm_context *context, const char *path, cJSON *need,
                        struct error *err);

/* At the target: is the one here like that? */
bool file_hash_check(const struct vm_context *context, const char *path, const cJSON *need,
                     struct error *err);

#endif
