/* A device mapper, LVM's lock and era, as far as the tracking of writes sees them: one volume, and
 * its origin once there is one.
 */
#ifndef TESTS_UNIT_MAPPER_SCENE_H
#define TESTS_UNIT_MAPPER_SCENE_H

#include <dirent.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "host/kernel-disks/device-mapper.h"
#include "host/kernel-disks/era-metadata.h"
#include "host/kernel-disks/lvm-lock.h"
#include "host/kernel-disks/memory-device.h"
#include "tests/unit/helpers.h"
#include "xmig/text.h"

#define ID "0123456789abcdef"
#define ORIGIN "xmig-" ID "-xvda-orig"
#define VOLUME "lab-v"
#define POOL "lab-pool-tpool"
#define PLAIN "0 16384 linear 7:0 2048\n"
#define THIN "0 16384 thin 511:5 1\n"
#define LVMS "0 16384 linear 7:0 4096\n"
#define OURS "0 16384 era 7:9 511:9 128\n"

struct fake_device {
    struct mapped_device info;
    char table[128], loaded[128];
};

static struct fake_device volume, origin;

static struct {
    bool is_lvm_at_work;                /* its lock is not free */
    const char *lvm_changes;            /* the table that it gives the volume while we wait */
    bool is_silent;                     /* the device mapper answers nothing */
    bool has_no_room;                   /* era cannot be resumed */
    bool has_failed;                    /* era says so */
    bool has_other_locks;               /* LVM does not look at the file */
    int pool_used;                      /* of 100 blocks */
    int suspends;                       /* how often the volume was */
    unsigned era, read_since, snapshot; /* the running one; since when notes were read last */
    char *dir;                          /* of the origin's holders */
} scene;

static inline int set_scene(void **unused)
{
    (void)unused;
    memset(&scene, 0, sizeof(scene));
    scene.dir = make_directory();
    origin = (struct fake_device){ .info.is_absent = true };
    volume =
        (struct fake_device){ .info = { .name = VOLUME, .number = makedev(511, 1), .is_lvm = true },
                              .table = PLAIN };
    return 0;
}

static inline int strike_scene(void **unused)
{
    (void)unused;
    remove_all(scene.dir);
    return 0;
}

/* Tracking that a dead process has left. */
static inline void leave_tracking(void)
{
    strcpy(volume.table, OURS);
    origin = (struct fake_device){
        .info = { .name = ORIGIN, .number = makedev(511, 9), .is_made_here = true }, .table = PLAIN
    };
}

static inline struct fake_device *device_of(const char *name)
{
    return strcmp(name, VOLUME) == 0 ? &volume : &origin;
}

/* ---- host/kernel-disks/device-mapper.h ---- */

bool mapper_look(const char *name, struct mapped_device *device, struct error *err)
{
    const struct fake_device *looked_at = device_of(name);

    device->is_absent = false;
    if (scene.is_silent)
        return error_set(err, ERROR_SYSTEM, "it does not answer");
    *device = looked_at->info;
    device->has_loaded = *looked_at->loaded;
    return !device->is_absent || error_set(err, ERROR_SYSTEM, "there is no '%s'", name);
}

bool mapper_find(dev_t number, struct mapped_device *device, struct error *err)
{
    if (number == makedev(511, 5)) {
        *device = (struct mapped_device){ .name = POOL };
        return true;
    }
    return mapper_look(number == volume.info.number ? VOLUME : ORIGIN, device, err);
}

bool mapper_each(void (*seen)(void *arg, const char *name), void *arg, struct error *err)
{
    (void)err;
    seen(arg, VOLUME);
    if (!origin.info.is_absent)
        seen(arg, ORIGIN);
    return true;
}

char *mapper_table(const char *name, struct error *err)
{
    (void)err;
    return must(strdup(device_of(name)->table));
}

char *mapper_state(const char *name, struct error *err)
{
    (void)err;
    if (!strcmp(name, POOL))
        return formatted("0 65536 thin-pool 1 11/1024 %d/100 - rw\n", scene.pool_used);
    assert_false(device_of(name)->info.suspended); /* it would wait for ever */
    if (scene.has_failed)
        return must(strdup("0 16384 era Error\n"));
    return formatted("0 16384 era 8 19/512 %u %u\n", scene.era, scene.snapshot);
}

bool mapper_create(const char *name, const char *table, struct error *err)
{
    (void)err, (void)table;
    assert_string_equal(name, ORIGIN);
    origin.info = (struct mapped_device){ .number = makedev(511, 9), .is_made_here = true };
    snprintf(origin.info.name, sizeof(origin.info.name), "%s", name);
    snprintf(origin.table, sizeof(origin.table), "%s", table);
    return true;
}

bool mapper_remove(const char *name, struct error *err)
{
    (void)err;
    assert_string_equal(name, ORIGIN);
    assert_true(origin.info.is_absent || !strstr(volume.table, "era"));
    origin.info.is_absent = true;
    return true;
}

bool mapper_load(const char *name, const char *table, struct error *err)
{
    (void)err;
    snprintf(device_of(name)->loaded, sizeof(volume.loaded), "%s", table);
    return true;
}

bool mapper_unload(const char *name, struct error *err)
{
    (void)err;
    *device_of(name)->loaded = '\0';
    return true;
}

bool mapper_suspend(const char *name, struct error *err)
{
    (void)err;
    device_of(name)->info.suspended = true;
    scene.suspends++;
    return true;
}

bool mapper_resume(const char *name, struct error *err)
{
    struct fake_device *device = device_of(name);

    if (*device->loaded)
        strcpy(device->table, device->loaded);
    *device->loaded = '\0';
    device->info.suspended = scene.has_no_room && strstr(device->table, "era");
    scene.era++;
    return !device->info.suspended || error_set(err, ERROR_SYSTEM, "no space");
}

bool mapper_message(const char *name, const char *text, struct error *err)
{
    (void)err;
    assert_false(device_of(name)->info.suspended);
    scene.snapshot = strstr(text, "take") ? 92 : 0;
    return true;
}

char *mapper_volume_group(const char *name)
{
    assert_string_equal(name, VOLUME);
    return must(strdup("lab"));
}

/* ---- the others ---- */

bool lvm_lock_is_lvms(const char *root, struct error *err)
{
    assert_string_equal(root, "");
    return !scene.has_other_locks || error_set(err, ERROR_REFUSED, "lvmlockd has LVM's locks");
}

int lvm_lock_hold(const char *group, uint64_t timeout_ms, struct error *err)
{
    (void)timeout_ms;
    if (scene.lvm_changes)
        strcpy(volume.table, scene.lvm_changes);
    if (!scene.is_lvm_at_work)
        return memfd_create("lock", MFD_CLOEXEC);
    error_set(err, ERROR_SYSTEM, "LVM works on '%s'", group);
    return -1;
}

bool memory_device_open(struct memory_device *memory, const char *name, uint64_t size,
                        struct error *err)
{
    (void)name, (void)size, (void)err;
    *memory = (struct memory_device){ -1, -1, makedev(7, 9) };
    return true;
}

void memory_device_release(struct memory_device *memory)
{
    (void)memory;
}

void memory_device_close(struct memory_device *memory)
{
    (void)memory;
}

uint64_t era_block_size(uint64_t size, uint64_t granularity)
{
    (void)size, (void)granularity;
    return 65536;
}

uint64_t era_metadata_size(uint64_t size, uint64_t block)
{
    (void)size, (void)block;
    return 65536;
}

bool era_metadata_read(int fd, uint64_t snapshot, uint32_t since, struct changed_blocks *changed,
                       struct error *err)
{
    (void)fd, (void)err;
    assert_int_equal(snapshot, 92);
    scene.read_since = since;
    changed_blocks_mark(changed, 1);
    return true;
}

/* The volume's node, the nodes of the device mapper, and the holders of the origin. */
int stat(const char *path, struct stat *st)
{
    if (strcmp(path, "/dev/lab/v") != 0)
        return fstatat(AT_FDCWD, path, st, 0);
    *st = (struct stat){ .st_mode = S_IFBLK, .st_rdev = volume.info.number };
    return 0;
}

int open(const char *path, int flags, ...)
{
    if (!strncmp(path, "/dev/dm-", 8))
        return memfd_create(path + 5, MFD_CLOEXEC);
    return openat(AT_FDCWD, path, flags);
}

DIR *opendir(const char *path)
{
    AUTO_FREE char *holder = formatted("%s/dm-1", scene.dir);
    AUTO_FREE char *file = formatted("%s/dev", holder);

    assert_non_null(strstr(path, "511:9/holders"));
    if (strstr(volume.table, "511:9") || strstr(volume.loaded, "511:9")) {
        int fd = mkdir(holder, 0700) == 0 || errno == EEXIST ? creat(file, 0600) : -1;

        assert_int_equal(write(fd, "511:1\n", 6), 6);
        close(fd);
    } else {
        unlink(file);
        rmdir(holder);
    }
    return fdopendir(openat(AT_FDCWD, scene.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

#endif
