/* The target's disk images.
 *
 * An image is made as PATH.xmig-ID.partial, noted in the journal with its inode, and then
 * linked to PATH, which never replaces anything. What is deleted later is what was noted, and
 * nothing else that may have come to bear its name.
 */
#include "host/images/disk-images.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/images/disk-device.h"
#include "host/images/disk-discard.h"
#include "host/images/disk-mapping.h"
#include "host/images/disk-sync.h"
#include "host/images/disk-volume.h"
#include "host/images/qcow2-options.h"
#include "xmig/paths.h"
#include "host/system/block-device.h"
#include "host/system/file-identity.h"
#include "host/system/private-directory.h"
#include "host/system/program.h"
#include "host/images/thin.h"
#include "xmig/units.h"
#include "xmig/facts.h"
#include "xmig/text.h"

enum {
    IMG_MS = 60000,
    SYNC_MS = 600000
};

/* ---- owners ---- */

static uid_t owner_of(const struct disk_params *disk)
{
    const struct passwd *user = disk->user ? getpwnam(disk->user) : NULL;

    return user ? user->pw_uid : (uid_t)disk->uid;
}

static gid_t group_of(const struct disk_params *disk)
{
    const struct group *group = disk->group ? getgrnam(disk->group) : NULL;

    return group ? group->gr_gid : (gid_t)disk->gid;
}

/* ---- check ---- */

static bool has_format(const struct disk_params *disk, const char *format)
{
    return disk->format && !strcmp(disk->format, format);
}

static bool check_format(const struct disk_params *disk, struct error *err)
{
    AUTO_FREE char *program = NULL;

    if (has_format(disk, "raw"))
        return true;
    if (!has_format(disk, "qcow2"))
        return error_set(err, ERROR_REFUSED, "its format '%s' cannot be made at the target",
                         disk->format ? disk->format : "?");
    if (!qcow2_options_check(disk->options, err))
        return false;
    program = program_find("qemu-img");
    if (!program)
        return error_set(
            err, ERROR_REFUSED,
            "there is no qemu-img at the target to make it a qcow2 image: install qemu-utils");
    return true;
}

/* The device of that name, or a place for a file; two names may lead to one device. */
static bool is_same_image(const char *one, const char *other)
{
    struct stat st, other_st;

    if (!strcmp(one, other))
        return true;
    return stat(one, &st) == 0 && stat(other, &other_st) == 0 && S_ISBLK(st.st_mode) &&
           S_ISBLK(other_st.st_mode) && st.st_rdev == other_st.st_rdev;
}

/* Where it is written to: what is settled may be shown to the guest as a mapping. */
static const char *place_of(const struct disk_params *disk)
{
    return disk->device ? disk->device : disk->image;
}

static bool check_alone(const struct disk_images *images, const struct disk_params *disk,
                        struct error *err)
{
    for (size_t i = 0; i < images->disk_count && &images->disks[i] != disk; i++)
        if (is_same_image(place_of(&images->disks[i]), place_of(disk)))
            return error_set(err, ERROR_REFUSED, "'%s' cannot be the image of disk '%s' as well",
                             place_of(disk), images->disks[i].name);
    return true;
}

bool disk_images_check(const struct disk_images *images, const struct disk_params *disk,
                       struct error *err)
{
    const char *path = disk->image;
    AUTO_FREE char *dir = path_directory(path);
    AUTO_CLOSE int place = -1;
    struct stat st;

    if (!check_alone(images, disk, err))
        return false;
    if (disk->makes_volume && !has_format(disk, "raw"))
        return error_set(err, ERROR_REFUSED,
                         "its format is '%s', and a logical volume takes only raw disks",
                         disk->format ? disk->format : "?");
    if (disk->makes_volume)
        return disk_volume_check(images->context->loop, path, disk->size, err);
    if (disk_device_is(path))
        return disk_device_check(disk, images->maps_larger, err);
    if (*path != '/' || access(dir, W_OK | X_OK) < 0)
        return error_set(err, ERROR_REFUSED, "cannot make '%s': %m", path);
    place = private_directory_open(dir, owner_of(disk), err);
    if (place < 0)
        return error_prefix(err, "cannot make '%s'", path);
    if (lstat(path, &st) == 0)
        return error_set(err, ERROR_REFUSED,
                         "'%s' is there already, and nothing is ever overwritten: name another "
                         "place with --disk %s=PATH, or move that file away",
                         path, disk->name);
    if (geteuid() != 0 && owner_of(disk) != geteuid())
        return error_set(err, ERROR_REFUSED,
                         "its image belongs to another user (%u), whom only the superuser can "
                         "give a file",
                         (unsigned)owner_of(disk));
    return check_format(disk, err);
}

void disk_images_settle(const struct disk_images *images, struct disk_params *disk)
{
    if (!disk_device_is(disk->image) || !disk_device_exceeds(disk))
        return;
    disk->device = disk->image;
    disk->image = disk->mapping = disk_mapping_path(images->context->id, disk->name);
}

static void plan_disk(const struct disk_images *images, const struct disk_params *disk,
                      struct plan *plan)
{
    const char *name = disk->name;
    const char *image = disk->image;
    char size[UNITS_TEXT_MAX];
    const char *text = print_size(size, disk->size);
    const char *why_full = thin_why_full(images, disk);
    bool larger = disk_device_is(image) && disk_device_exceeds(disk);

    if (disk->device)
        plan_say(plan,
                 "disk %s: overwrite the first %s of the block device '%s', which the guest is "
                 "shown as '%s'",
                 name, text, disk->device, image);
    else if (!images->context->options.mirrors_disks)
        plan_say(plan, "disk %s: use '%s', which is the source's", name, image);
    else if (disk->makes_volume)
        plan_say(plan, "disk %s: create the logical volume '%s' (%s)", name, image, text);
    else if (disk_device_is(image))
        plan_say(plan,
                 "disk %s: overwrite %s%s%sthe block device '%s'%s: what it holds is lost, also if "
                 "the move is undone",
                 name, larger ? "the first " : "", larger ? text : "", larger ? " of " : "", image,
                 larger ? ", of which the guest is shown no more" : "");
    else
        plan_say(plan, "disk %s: create '%s' (%s, %s%s, %s)", name, image, disk->format,
                 why_full ? "fully allocated: " : "thin", why_full ? why_full : "", text);
}

void disk_images_plan(const struct disk_images *images, struct plan *plan)
{
    for (size_t i = 0; i < images->disk_count; i++)
        plan_disk(images, &images->disks[i], plan);
}

/* ---- create ---- */

static bool note_image(struct disk_images *images, const char *path, int fd, struct error *err)
{
    cJSON *fact = fact_new(FACT_IMAGE);

    cJSON_AddStringToObject(fact, "path", path);
    cJSON_AddItemToArray(images->facts, fact);
    if (!file_identity_add_fd(fact, fd, err))
        return false;
    return images->context->note(images->context->note_arg, fact, err);
}

/* By its descriptor: its name may lead to another file by now. */
static bool make_qcow2(struct disk_images *images, const struct disk_params *disk, const char *path,
                       int fd, struct error *err)
{
    AUTO_FREE char *options = qcow2_options_print(disk->options);
    AUTO_FREE char *file = formatted("/proc/%d/fd/%d", (int)getpid(), fd);
    AUTO_FREE char *size = formatted("%" PRIu64, disk->size);
    const char *const words[] = { "qemu-img", "create", "-q", "-f", "qcow2", "-o",
                                  options,    "--",     file, size, NULL };

    return program_run(images->context->loop, words, NULL, IMG_MS, err) ||
           error_prefix(err, "'%s'", path);
}

/* A file system that cannot allocate in advance does so when it is written to. */
static bool make_raw(const struct disk_params *disk, const char *path, int fd, struct error *err)
{
    off_t size = (off_t)disk->size;

    if (ftruncate(fd, size) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot size '%s': %m", path);
    if (!disk->full || size == 0 || fallocate(fd, 0, 0, size) == 0 || errno == EOPNOTSUPP)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot allocate '%s': %m", path);
}

static bool fill(struct disk_images *images, const struct disk_params *disk, const char *path,
                 int fd, struct error *err)
{
    if (has_format(disk, "qcow2")) {
        if (!make_qcow2(images, disk, path, fd, err))
            return false;
    } else if (!make_raw(disk, path, fd, err)) {
        return false;
    }
    if ((geteuid() == 0 && fchown(fd, owner_of(disk), group_of(disk)) < 0) ||
        fchmod(fd, (mode_t)disk->mode) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot give '%s' its owner: %m", path);
    if (fsync(fd) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot make '%s' durable: %m", path);
    return true;
}

/* Unlike a rename, a link never replaces. The name is the open file's, whatever bears its partial
 * name by now.
 */
static bool publish(int place, int fd, const char *partial, const char *path, struct error *err)
{
    AUTO_FREE char *file = formatted("/proc/self/fd/%d", fd);

    if (linkat(AT_FDCWD, file, place, strrchr(path, '/') + 1, AT_SYMLINK_FOLLOW) < 0 &&
        errno == EEXIST)
        return error_set(err, ERROR_REFUSED, "'%s' has come to be there in the meantime", path);
    if (access(path, F_OK) < 0)
        return path_rename(partial, path, err); /* a file system without links */
    if (unlinkat(place, strrchr(partial, '/') + 1, 0) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot remove '%s': %m", partial);
    return path_sync_directory(path, err);
}

static bool create_image(struct disk_images *images, const struct disk_params *disk,
                         struct error *err)
{
    const char *path = disk->image;
    AUTO_FREE char *dir = path_directory(path);
    AUTO_FREE char *partial = disk_images_partial(images, path);
    AUTO_CLOSE int place = private_directory_open(dir, owner_of(disk), err);
    AUTO_CLOSE int fd = -1;

    if (place < 0)
        return false;
    fd = openat(place, strrchr(partial, '/') + 1,
                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, ERROR_SYSTEM, "cannot create '%s': %m", partial);
    return note_image(images, path, fd, err) && fill(images, disk, partial, fd, err) &&
           publish(place, fd, partial, path, err);
}

/* A file whose name holds our id is ours; said before one is made, this finds it after a crash
 * between its making and its own note.
 */
static bool note_intent(struct disk_images *images, struct error *err)
{
    cJSON *fact = fact_new(FACT_IMAGES);
    cJSON *paths = cJSON_AddArrayToObject(fact, "paths");

    cJSON_AddItemToArray(images->facts, fact);
    for (size_t i = 0; i < images->disk_count; i++)
        cJSON_AddItemToArray(paths, must(cJSON_CreateString(images->disks[i].image)));
    return images->context->note(images->context->note_arg, fact, err);
}

/* A mapping is gone after the next boot: warn, so that a person makes it again. */
static bool create_mapping(struct disk_images *images, const struct disk_params *disk,
                           struct error *err)
{
    const char *path = disk->image;
    AUTO_FREE char *command = disk_mapping_command(path, disk->device, disk->size);
    cJSON *fact = fact_new(FACT_MAPPING);

    cJSON_AddStringToObject(fact, "path", path);
    cJSON_AddItemToArray(images->facts, fact);
    if (!images->context->note(images->context->note_arg, fact, err) ||
        !disk_mapping_create(images->context->loop, path, disk->device, disk->size, err))
        return false;
    event_say(&images->context->events, EVENT_WARNING, NULL,
              "'%s' is larger than disk %s: the guest is shown '%s'. When the target has booted, "
              "that has to be made again there before the guest is started: %s",
              disk->device, disk->name, path, command);
    return true;
}

/* Noted first: its tag tells whether it is ours. */
static bool make_volume(struct disk_images *images, const struct disk_params *disk,
                        struct error *err)
{
    cJSON *fact = fact_new(FACT_VOLUME);

    cJSON_AddStringToObject(fact, "path", disk->image);
    cJSON_AddItemToArray(images->facts, fact);
    return images->context->note(images->context->note_arg, fact, err) &&
           disk_volume_create(images->context->loop, images->context->id, disk->image, disk->size,
                              err);
}

/* Between the check and now its name may have come to lead to another device, which is then refused
 * here; from now on it is known which one it is.
 */
static bool take_device(struct disk_images *images, const struct disk_params *disk,
                        struct error *err)
{
    cJSON *fact = fact_new(FACT_DEVICE);
    int fd;

    cJSON_AddStringToObject(fact, "path", disk->image);
    cJSON_AddItemToArray(images->facts, fact);
    if (!disk_device_check(disk, images->maps_larger, err))
        return false;
    fd = disk_device_hold(disk->image, err);
    if (fd < 0)
        return false;
    images->held = must(realloc(images->held, (images->held_count + 1) * sizeof(int)));
    images->held[images->held_count++] = fd;
    return block_device_add(fact, fd, err) &&
           images->context->note(images->context->note_arg, fact, err);
}

static bool create(struct disk_images *images, const struct disk_params *disk, struct error *err)
{
    struct disk_params made = *disk;

    if (disk->makes_volume) { /* what it holds is of no use to anybody */
        made.overwrite = true;
        return make_volume(images, disk, err) && take_device(images, &made, err);
    }
    if (disk->device)
        return create_mapping(images, disk, err);
    return disk_device_is(disk->image) ? take_device(images, disk, err)
                                       : create_image(images, disk, err);
}

bool disk_images_create(struct disk_images *images, struct error *err)
{
    if (!note_intent(images, err))
        return false;
    for (size_t i = 0; i < images->disk_count; i++)
        if (!create(images, &images->disks[i], err))
            return error_prefix(err, "disk '%s'", images->disks[i].name);
    return true;
}

/* ---- sync ---- */

static bool wait_for_all(struct disk_sync *const *syncs, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!disk_sync_wait(syncs[i], SYNC_MS, err))
            return false;
    return true;
}

/* Do the paths from which the VM will be started again still lead to the images made here? */
bool disk_images_have_names(const struct disk_images *images, struct error *err)
{
    const cJSON *fact;

    cJSON_ArrayForEach (fact, images->facts) {
        const char *path = json_string_or(fact, "path", "");

        if (fact_of(fact) == FACT_DEVICE && !block_device_has(path, fact))
            return error_set(err, ERROR_SYSTEM,
                             "'%s' at the target is not the block device any more that it was when "
                             "this move began",
                             path);
        if (fact_of(fact) != FACT_IMAGE || file_identity_has(path, fact))
            continue;
        return error_set(err, ERROR_SYSTEM,
                         "'%s' at the target is not the image that was made for this move any "
                         "more: somebody has replaced, renamed or deleted it",
                         path);
    }
    return true;
}

/* All disks at once. Their names are durable since publish(). */
bool disk_images_sync(struct disk_images *images, struct error *err)
{
    AUTO_FREE struct disk_sync **syncs =
        must(calloc(images->disk_count + 1, sizeof(struct disk_sync *)));
    size_t count = 0;
    bool ok = true;

    if (!images->context->options.mirrors_disks)
        return true;
    for (; ok && count < images->disk_count; count += ok) {
        syncs[count] = disk_sync_start(images->context->loop, images->disks[count].image, err);
        ok = syncs[count] != NULL;
    }
    ok = ok && wait_for_all(syncs, count, err);
    for (size_t i = 0; i < count; i++)
        disk_sync_free(syncs[i]);
    return ok && disk_images_have_names(images, err);
}

/* ---- the set ---- */

void disk_images_init(struct disk_images *images, const struct vm_context *context)
{
    *images = (struct disk_images){ .context = context, .facts = must(cJSON_CreateArray()) };
}

static void forget_disks(struct disk_images *images)
{
    for (size_t i = 0; i < images->disk_count; i++)
        free(images->disks[i].mapping);
    free(steal(images->disks));
    images->disk_count = 0;
}

bool disk_images_take(struct disk_images *images, const cJSON *disks, struct error *err)
{
    forget_disks(images);
    images->disks = disk_params_all(disks, &images->disk_count, err);
    return images->disks != NULL;
}

const struct disk_params *disk_images_find(const struct disk_images *images, const char *name)
{
    for (size_t i = 0; i < images->disk_count; i++)
        if (!strcmp(images->disks[i].name, name))
            return &images->disks[i];
    return NULL;
}

void disk_images_done(struct disk_images *images)
{
    forget_disks(images);
    disk_images_let_go(images);
    cJSON_Delete(steal(images->facts));
}

void disk_images_reattach(struct disk_images *images, const cJSON *records)
{
    const cJSON *record;

    cJSON_ArrayForEach (record, records) {
        enum fact fact = fact_of(record);

        if (fact == FACT_IMAGE || fact == FACT_IMAGES || fact == FACT_MAPPING ||
            fact == FACT_DEVICE)
            cJSON_AddItemToArray(images->facts, must(cJSON_Duplicate(record, true)));
    }
}
