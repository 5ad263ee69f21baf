/* Sending and receiving the device model's state. */
#include "host/xen/ground/device-state.h"

#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "xmig/bytes.h"
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
    return bytes_write(fd, data, size) ||
           error_set(err, ERROR_LOST, "cannot send the device state: %m");
}

static bool read_all(int fd, void *data, size_t size, struct error *err)
{
    ssize_t got = bytes_read(fd, data, size);

    if (got < 0)
        return error_set(err, ERROR_LOST, "cannot read: %m");
    return (size_t)got == size || error_set(err, ERROR_LOST, "it ended too early");
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
