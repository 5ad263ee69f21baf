/* -blockdev: each is a node, or several within one another. Those that lead to a disk that moves
 * open its image at the target.
 */
#include "host/qemu/argv/moved-image.h"
#include "xmig/text.h"

/* ---- nodes of disks that move ---- */

struct remembering {
    struct qemu_rewriting *q;
    const struct keyvals *kv;
    const struct argv_disk *disk;
};

static void remember_node(void *arg, const char *prefix)
{
    struct remembering *remembering = arg;
    AUTO_FREE char *key = formatted("%snode-name", prefix);
    const char *node = keyvals_get(remembering->kv, key);
    struct qemu_rewriting *q = remembering->q;

    if (node)
        json_add_uint(q->nodes, node, (uint64_t)(remembering->disk - q->vm->disks));
}

/* A node that is written to by way of others is thin only if each of them lets zeroes pass. */
static void remember_nodes(struct qemu_rewriting *q, const struct keyvals *kv,
                           const struct image_place *place, const struct argv_disk *disk)
{
    struct remembering remembering = { .q = q, .kv = kv, .disk = disk };

    image_place_each(place, remember_node, &remembering);
}

static struct argv_disk *disk_beneath(struct qemu_rewriting *q, const char *node)
{
    uint64_t i = json_uint_or(q->nodes, node, UINT64_MAX);

    return i < q->vm->disk_count ? &q->vm->disks[i] : NULL;
}

/* ---- one option ---- */

static bool move_blockdev(struct qemu_rewriting *q, struct keyvals *kv,
                          const struct image_place *place, struct argv_disk *disk, bool top,
                          struct error *err)
{
    if (!top)
        return error_set(err, ERROR_REFUSED,
                         "the disk image '%s' lies on others that have a -blockdev of their own: "
                         "commit or pull them first",
                         disk->paths[0]);
    if (!moved_image_claim(disk, disk->format, err))
        return false;
    moved_image_open(kv, place, disk);
    remember_nodes(q, kv, place, disk);
    return true;
}

static void lie_above(struct qemu_rewriting *q, struct keyvals *kv, const struct image_place *place)
{
    struct argv_disk *disk = disk_beneath(q, keyvals_get(kv, place->key));

    if (!disk)
        return;
    moved_image_lie_above(kv, place, disk);
    remember_nodes(q, kv, place, disk);
}

bool rewrite_blockdev(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    AUTO_PLACE struct image_place place = { 0 };
    struct qemu_rewriting *q = qemu_of(r);
    const char *backing = keyvals_get(kv, "backing");
    struct argv_disk *disk = NULL;
    bool found, top;

    if (!block_drivers_check(kv, err))
        return false;
    if (backing && *backing)
        return error_set(err, ERROR_REFUSED,
                         "a -blockdev with another as its backing cannot be moved: commit or pull "
                         "it first");
    found = image_place_find(kv, false, &place);
    if (found && !place.refers)
        disk = rewriting_find_disk(q->vm, keyvals_get(kv, place.key), &top);
    if (disk)
        return move_blockdev(q, kv, &place, disk, top, err);
    if (found && !place.refers)
        rewriting_path_key(r, kv, place.key, rewriting_need);
    block_peers(r, kv, NULL);
    rewriting_other_paths(r, kv);
    if (place.refers)
        lie_above(q, kv, &place);
    return true;
}
