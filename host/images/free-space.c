/* Room is counted by file system: several images may share one. */
#include "host/images/free-space.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "host/images/disk-device.h"
#include "core/plan-notes.h"
#include "xmig/paths.h"
#include "host/images/thin.h"
#include "xmig/units.h"

struct room {
    dev_t device;
    uint64_t needed;
    uint64_t virtual;
    uint64_t available;
    const char *image; /* the last one there */
};

static bool add(const struct disk_images *images, struct room *rooms, size_t *count,
                const struct disk_params *disk, struct error *err)
{
    AUTO_FREE char *dir = path_directory(disk->image);
    struct room *room = rooms;
    struct statvfs fs;
    struct stat st;

    if (stat(dir, &st) < 0 || statvfs(dir, &fs) < 0)
        return error_set(err, ERROR_REFUSED, "cannot look at '%s': %m", dir);
    while (room < rooms + *count && room->device != st.st_dev)
        room++;
    if (room == rooms + *count)
        rooms[(*count)++] = (struct room){ .device = st.st_dev };
    room->available = (uint64_t)fs.f_bavail * fs.f_frsize;
    room->needed = add_sizes(room->needed, thin_needs(images, disk));
    room->virtual = add_sizes(room->virtual, disk->size);
    room->image = disk->image;
    return true;
}

static bool check(const struct room *room, cJSON *notes, struct error *err)
{
    char needed[UNITS_TEXT_MAX], virtual[UNITS_TEXT_MAX], available[UNITS_TEXT_MAX];

    print_size(available, room->available);
    print_size(virtual, room->virtual);
    if (room->needed > room->available)
        return error_set(err, ERROR_REFUSED,
                         "the disks that go where '%s' goes take %s (of %s), and only %s are free "
                         "there",
                         room->image, print_size(needed, room->needed), virtual, available);
    if (room->virtual > room->available)
        plan_notes_add(notes, "the disks may grow to %s where %s are free ('%s')", virtual,
                       available, room->image);
    return true;
}

/* A block device has its room already. */
bool room_check(const struct disk_images *images, cJSON *notes, struct error *err)
{
    AUTO_FREE struct room *rooms = must(calloc(images->disk_count + 1, sizeof(*rooms)));
    size_t count = 0;

    for (size_t i = 0; i < images->disk_count; i++)
        if (!disk_device_is(images->disks[i].image) &&
            !add(images, rooms, &count, &images->disks[i], err))
            return false;
    for (size_t i = 0; i < count; i++)
        if (!error_goes_on(err, check(&rooms[i], notes, err)))
            return false;
    return true;
}
