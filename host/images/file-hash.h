/* Does a file hold the same at both hosts? Its size does not tell. */
#ifndef XMIG_HOST_IMAGES_FILE_HASH_H
#define XMIG_HOST_IMAGES_FILE_HASH_H

#include "xmig/fields.h"
#include "xmig/vm.h"

enum {
    FILE_HASH_SIZE = 65 /* SHA-256 in hex */
};

/* A file that must hold the same at both hosts, as it travels in the parameters. */
struct needed_file {
    const char *path;
    uint64_t size;
    char sha256[FILE_HASH_SIZE]; /* "": it may hold anything */
};

extern const struct field needed_file_fields[];

/* All of the file, or block device, is read, in a thread: the loop lives meanwhile. Gives up after
 * ten minutes.
 */
bool file_hash(struct loop *loop, const char *path, char hash[FILE_HASH_SIZE], struct error *err);

/* At the source: find the size and the hash of a file or block device; "" if --trust names it. */
bool file_hash_describe(const struct vm_context *context, const char *path, uint64_t *size,
                        char hash[FILE_HASH_SIZE], struct error *err);

/* At the target: is the one here like that? */
bool file_hash_check(const struct vm_context *context, const char *path, uint64_t size,
                     const char *hash, struct error *err);

#endif
