/* Proof that an image is the same one at both hosts. */
#include "host/images/shared-images.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/system/block-device.h"
#include "qmp/argv/block-driver.h"
#include "xmig/bytes.h"
#include "xmig/text.h"

static bool offer_device(const char *image, dev_t device, struct disk_params *disk,
                         struct error *err)
{
    block_device_identity(device, disk->device_identity, sizeof(disk->device_identity));
    return *disk->device_identity ||
           error_set(err, ERROR_REFUSED,
                     "the block device '%s' has no WWID or LV UUID by which the target could "
                     "know it again: if it is the same one there, say so with --shared",
                     image);
}

static bool new_nonce(struct disk_params *disk, struct error *err)
{
    uint8_t bytes[sizeof(disk->nonce) / 2];

    if (getentropy(bytes, sizeof(bytes)) < 0)
        return error_set(err, ERROR_SYSTEM, "no random numbers: %m");
    for (size_t i = 0; i < sizeof(bytes); i++)
        sprintf(disk->nonce + 2 * i, "%02x", bytes[i]);
    return true;
}

static const char *listed(cJSON **proofs, const char *path)
{
    cJSON *item = must(cJSON_CreateString(path));

    if (!*proofs)
        *proofs = must(cJSON_CreateArray());
    cJSON_AddItemToArray(*proofs, item);
    return item->valuestring;
}

static bool offer_file(const char *image, const char *id, struct disk_params *disk, cJSON **proofs,
                       struct error *err)
{
    AUTO_CLOSE int fd = -1;
    AUTO_FREE char *path = formatted("%s.xmig-%s.proof", image, id);
    size_t len = sizeof(disk->nonce) - 1;

    if (!new_nonce(disk, err))
        return false;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0)
        disk->proof = listed(proofs, path);
    if (fd < 0 || write(fd, disk->nonce, len) != (ssize_t)len || fsync(fd) < 0)
        return error_set(err, ERROR_REFUSED,
                         "cannot put a file beside '%s', by which the target would know it again: "
                         "%m",
                         image);
    return true;
}

bool shared_offer(const char *image, const char *id, bool word, struct disk_params *disk,
                  cJSON **proofs, struct error *err)
{
    struct stat st;

    disk->shared_by_word = word;
    if (word)
        return true;
    if (stat(image, &st) < 0)
        return error_set(err, ERROR_REFUSED,
                         "'%s' is neither a file nor a block device: whether the target has the "
                         "same one cannot be proven; if it does, say so with --shared %s",
                         image, disk->name);
    if (S_ISBLK(st.st_mode))
        return offer_device(image, st.st_rdev, disk, err);
    return offer_file(image, id, disk, proofs, err);
}

static bool not_the_same(const char *image, struct error *err)
{
    return error_set(
        err, ERROR_REFUSED,
        "'%s' is not the same image at the target as at the source: leave drive-mirror in, or "
        "share the storage",
        image);
}

bool shared_prove(const struct disk_params *disk, struct error *err)
{
    const char *image = disk->image;
    char here[256];
    struct stat st;

    if (disk->shared_by_word)
        return !block_name_is_local(image) || access(image, R_OK) == 0 ||
               error_set(err, ERROR_REFUSED, "'%s' is not at the target: %m", image);
    if (*disk->device_identity && stat(image, &st) == 0 && S_ISBLK(st.st_mode)) {
        block_device_identity(st.st_rdev, here, sizeof(here));
        return !strcmp(here, disk->device_identity) || not_the_same(image, err);
    }
    if (!disk->proof || !*disk->nonce || strncmp(disk->proof, image, strlen(image)) != 0)
        return not_the_same(image, err);
    (void)bytes_read_line(AT_FDCWD, disk->proof, here, sizeof(here));
    return (!strcmp(here, disk->nonce) && access(image, R_OK) == 0) || not_the_same(image, err);
}
