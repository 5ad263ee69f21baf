/* The kernel does the exchange in one call, so that no death of ours leaves a device suspended. */
#include "host/kernel-disks/exchange.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "host/kernel-disks/device-mapper.h"
#include "host/kernel-disks/lvm-lock.h"
#include "host/kernel-disks/tables.h"
#include "xmig/bytes.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

enum {
    LVM_MS = 10000
};

void exchange_wake(const char *name, const char *plain, struct error *err)
{
    struct mapped_device device;
    struct error why = { 0 };

    if (mapper_look(name, &device, &why) ? !device.suspended : device.is_absent)
        return;
    if (plain && !mapper_load(name, plain, &why))
        error_append(err, "; %s", why.text);
    if (!mapper_resume(name, &why))
        error_append(err,
                     "; %s: IT IS SUSPENDED, and what uses it stands still (dmsetup resume %s)",
                     why.text, name);
}

/* After a failed resume the device may have a table that nobody wants. */
static void drop_loaded(const char *name)
{
    struct mapped_device device;
    struct error ignored = { 0 };

    if (mapper_look(name, &device, &ignored) && device.has_loaded)
        mapper_unload(name, &ignored);
}

bool exchange_loaded(const char *name, const char *before, struct error *err)
{
    if (mapper_resume(name, err))
        return true;
    exchange_wake(name, before, err);
    drop_loaded(name);
    return false;
}

bool exchange_table(const char *name, const char *table, const char *before, struct error *err)
{
    return mapper_load(name, table, err) && exchange_loaded(name, before, err);
}

/* A guest gets errors from notes that have no room, and nothing from a device that is suspended. A
 * command of LVM suspends for a moment only, and with a second table.
 */
static bool is_urgent(dev_t number)
{
    struct mapped_device device;
    struct error ignored = { 0 };
    struct era_state state;
    AUTO_FREE char *text = NULL;

    if (!mapper_find(number, &device, &ignored))
        return false;
    if (device.suspended)
        return !device.has_loaded;
    text = mapper_state(device.name, &ignored);
    return text && era_state_parse(text, &state, &ignored) && state.failed;
}

/* `*lock` is -1 for what is no logical volume, and for what cannot wait. */
static bool keep_lvm_off(const struct mapped_device *device, int *lock, struct error *err)
{
    AUTO_FREE char *group = device->is_lvm ? mapper_volume_group(device->name) : NULL;

    *lock = group ? lvm_lock_hold(group, LVM_MS, err) : -1;
    return !group || *lock >= 0 || is_urgent(device->number) ||
           error_prefix(err, "the writes to '%s' are still tracked", device->name);
}

/* A volume that is fenced stays so; each table makes the device writable again. */
static bool make_read_only(dev_t number, struct error *err)
{
    AUTO_FREE char *path = formatted("/dev/dm-%u", minor(number));
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    int on = 1;

    return (fd >= 0 && ioctl(fd, BLKROSET, &on) == 0) ||
           error_set(err, ERROR_SYSTEM, "cannot make '%s' read-only again: %m", path);
}

/* It leads to the origin: tracking that was about to begin. */
static bool drop_what_is_loaded(const struct mapped_device *device, struct error *err)
{
    return (!device->has_loaded || mapper_unload(device->name, err)) &&
           (!device->suspended || mapper_resume(device->name, err));
}

static bool undo_device(dev_t number, dev_t origin, const char *plain, struct error *err)
{
    struct mapped_device device;
    AUTO_FREE char *table = NULL;
    AUTO_CLOSE int lock = -1;

    if (!mapper_find(number, &device, err))
        return false;
    if (!keep_lvm_off(&device, &lock, err))
        return false;
    table = mapper_table(device.name, err);
    if (!table || !mapper_look(device.name, &device, err))
        return false;
    if (!table_tracks(table, origin))
        return drop_what_is_loaded(&device, err);
    if (exchange_table(device.name, plain, NULL, err))
        return !device.is_read_only || make_read_only(number, err);
    exchange_wake(device.name, NULL, err);
    return false;
}

/* Those whose tables lead to the origin are its holders, also by a table that is only loaded. */
static bool undo_holders(dev_t origin, const char *plain, struct error *err)
{
    AUTO_FREE char *path = formatted("/sys/dev/block/%u:%u/holders", major(origin), minor(origin));
    DIR *holders = opendir(path);
    bool ok = true;

    if (!holders)
        return error_set(err, ERROR_SYSTEM, "cannot read %s: %m", path);
    for (const struct dirent *entry; (entry = readdir(holders));) {
        AUTO_FREE char *file = formatted("%s/dev", entry->d_name);
        char line[32];
        unsigned most, least;

        if (*entry->d_name != '.' &&
            sscanf(bytes_read_line(dirfd(holders), file, line, sizeof(line)), "%u:%u", &most,
                   &least) == 2)
            ok = undo_device(makedev(most, least), origin, plain, err) && ok;
    }
    closedir(holders);
    return ok;
}

bool exchange_back(const char *origin, struct error *err)
{
    struct mapped_device device;
    AUTO_FREE char *plain = NULL;

    if (!mapper_look(origin, &device, err))
        return device.is_absent;
    if (!device.is_made_here)
        return error_set(err, ERROR_SYSTEM, "the device '%s' is none of xmig's", origin);
    plain = mapper_table(origin, err);
    return plain && undo_holders(device.number, plain, err);
}

bool exchange_undo(const char *origin, struct error *err)
{
    return exchange_back(origin, err) && mapper_remove(origin, err);
}
