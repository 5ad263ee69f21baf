/* One linear target of the device mapper. */
#include "host/images/disk-mapping.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "host/system/program.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    SECTOR = 512, /* whatever the device's own are */
    DMSETUP_MS = 60000
};

static const char directory[] = "/dev/mapper/";

static const char *name_of(const char *path)
{
    return path + strlen(directory);
}

char *disk_mapping_path(const char *id, const char *disk)
{
    return formatted("%sxmig-%s-%s", directory, id, disk);
}

static char *table(const char *device, uint64_t size)
{
    return formatted("0 %" PRIu64 " linear %s 0", size / SECTOR, device);
}

char *disk_mapping_command(const char *path, const char *device, uint64_t size)
{
    AUTO_FREE char *line = table(device, size);
    return formatted("dmsetup create %s --table '%s'", name_of(path), line);
}

bool disk_mapping_check(struct error *err)
{
    AUTO_FREE char *program = program_find("dmsetup");

    return program ||
           error_set(
               err, ERROR_REFUSED,
               "there is no dmsetup at the target to show less of it with: install it, or name a "
               "device of exactly the disk's size");
}

bool disk_mapping_create(struct loop *loop, const char *path, const char *device, uint64_t size,
                         struct error *err)
{
    AUTO_FREE char *line = table(device, size);
    const char *const words[] = { "dmsetup", "create", name_of(path), "--table", line, NULL };

    return program_run(loop, words, NULL, DMSETUP_MS, err);
}

/* udev may still look at it. */
bool disk_mapping_remove(struct loop *loop, const char *path, struct error *err)
{
    const char *const words[] = { "dmsetup", "remove", "--retry", name_of(path), NULL };

    return access(path, F_OK) < 0 || program_run(loop, words, NULL, DMSETUP_MS, err);
}
