/* Sending and receiving the device model's state. */
#include "host/xen/ground/device-state.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "xmig/cleanup.h"

enum {
    MAGIC_SIZE = 8,
    DIGEST_SIZE = 32,
    STATE_MAX = 256 * 1024 * 1024
};

struct header {
    char magic[MAGIC_SIZE];
    uint64_t length; /* big endian */
    unsigned char digest[DIGEST_SIZE];
};

static const char magic[] = "XMIGDEV1";

static bool write_all(int fd, const void *data, size_t size, struct error *err)
{
    const char *rest = data;

    while (size > 0) {
        ssize_t written = write(fd, rest, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_set(err, ERROR_LOST, "cannot send the device state: %m");
        rest += written;
        size -= (size_t)written;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t size, struct error *err)
{
    char *rest = data;

    while (size > 0) {
        ssize_t got = read(fd, rest, size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set(err, ERROR_LOST, "cannot read: %m");
        if (got == 0)
            return error_set(err, ERROR_LOST, "it ended too early");
        rest += got;
        size -= (size_t)got;
    }
    return true;
}

static void digest(const void *data, size_t size, unsigned char out[DIGEST_SIZE])
{
    if (!EVP_Digest(data, size, out, NULL, EVP_sha256(), NULL))
        abort();
}

bool device_state_send(int fd, const char *path, struct error *err)
{
    struct header header;
    struct stat st;
    AUTO_CLOSE int file = open(path, O_RDONLY | O_CLOEXEC);
    AUTO_FREE char *state = NULL;

    if (file < 0 || fstat(file, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot read the device state '%s': %m", path);
    state = must(malloc((size_t)st.st_size + 1));
    if (!read_all(file, state, (size_t)st.st_size, err))
        return error_prefix(err, "the device state '%s'", path);
    memcpy(header.magic, magic, MAGIC_SIZE);
    header.length = htobe64((uint64_t)st.st_size);
    digest(state, (size_t)st.st_size, header.digest);
    return write_all(fd, &header, sizeof(header), err) &&
           write_all(fd, state, (size_t)st.st_size, err);
}

static bool check_header(const struct header *header, struct error *err)
{
    uint64_t length = be64toh(header->length);

    if (memcmp(header->magic, magic, MAGIC_SIZE) != 0)
        return error_set(err, ERROR_PROTOCOL, "what follows the RAM is no device state");
    if (length == 0 || length > STATE_MAX)
        return error_set(err, ERROR_PROTOCOL, "a device state of %llu bytes makes no sense",
                         (unsigned long long)length);
    return true;
}

bool device_state_receive(int fd, char **state, size_t *size, struct error *err)
{
    unsigned char present[DIGEST_SIZE];
    struct header header;
    AUTO_FREE char *data = NULL;

    if (!read_all(fd, &header, sizeof(header), err))
        return error_prefix(err, "the device state");
    if (!check_header(&header, err))
        return false;
    *size = be64toh(header.length);
    data = must(malloc(*size));
    if (!read_all(fd, data, *size, err))
        return error_prefix(err, "the device state");
    digest(data, *size, present);
    if (memcmp(present, header.digest, DIGEST_SIZE) != 0)
        return error_set(err, ERROR_PROTOCOL, "the device state was damaged on the way");
    *state = steal(data);
    return true;
}
