/* Reading and writing descriptors that block. */
#include "xmig/bytes.h"

#include <errno.h>
#include <fcntl.h>

#include "xmig/cleanup.h"

bool bytes_write(int fd, const void *bytes, size_t size)
{
    const char *rest = bytes;

    while (size > 0) {
        ssize_t count = write(fd, rest, size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        rest += count;
        size -= (size_t)count;
    }
    return true;
}

ssize_t bytes_read(int fd, void *bytes, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t count = read(fd, (char *)bytes + used, size - used);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        used += (size_t)count;
    }
    return (ssize_t)used;
}

char *bytes_read_all(int fd, size_t *size)
{
    enum {
        CHUNK = 16384
    };
    char *bytes = NULL;
    ssize_t count;

    *size = 0;
    do {
        bytes = must(realloc(bytes, *size + CHUNK + 1));
        count = bytes_read(fd, bytes + *size, CHUNK);
        *size += count > 0 ? (size_t)count : 0;
    } while (count == CHUNK);
    bytes[*size] = '\0';
    return bytes;
}

const char *bytes_read_line(int dir, const char *path, char *line, size_t size)
{
    AUTO_CLOSE int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? 0 : bytes_read(fd, line, size - 1);

    line[count > 0 ? count : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return line;
}
