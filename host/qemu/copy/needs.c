/* What a QEMU would need of this host, for a policy to judge: by its command line and the other
 * parameters, as they arrived.
 *
 * Whatever looks like a path, in whatever option, is a need; and each network's type must be known.
 * An option of a later QEMU so needs nothing that nobody has judged.
 */
#include <pwd.h>

#include "host/images/disk-device.h"
#include "host/qemu/copy/copy.h"
#include "host/qemu/copy/needs-line.h"
#include "host/system/program.h"
#include "xmig/text.h"

static const cJSON *get(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_of(const cJSON *item)
{
    return cJSON_IsString(item) ? item->valuestring : "";
}

/* ---- the process ---- */

static void add_program(const cJSON *qemu, struct needs *needs)
{
    const char *wanted = json_string_or(qemu, "program", "");
    AUTO_FREE char *found = qemu_find_program(wanted);

    needs_add(needs, NEED_PROGRAM, found ? found : wanted, 0, "%s", "");
}

/* As check_user() and the start have it; -runas is one of the line's needs. */
static void add_user(const cJSON *qemu, struct needs *needs)
{
    const char *name = json_string_or(qemu, "user", NULL);
    const struct passwd *user = name ? getpwnam(name) : NULL;
    uid_t uid = user ? user->pw_uid : (uid_t)json_uint_or(qemu, "uid", geteuid());
    AUTO_FREE char *number = NULL;

    if (json_true(qemu, "drops_privileges") && line_drops_privileges(get(qemu, "words")))
        return;
    if (json_true(qemu, "drops_privileges"))
        uid = geteuid();
    user = getpwuid(uid);
    number = formatted("%u", (unsigned)uid);
    needs_add(needs, NEED_USER, user ? user->pw_name : number, 0, "%s", "");
}

/* ---- disks, media and files ---- */

static void add_disk(const cJSON *disk, struct needs *needs)
{
    const char *image = json_string_or(disk, "image", "");
    enum need_kind kind = disk_device_is(image) ? NEED_DEVICE : NEED_IMAGE;

    needs_add(needs, kind, image, json_uint_or(disk, "size", UINT64_MAX), "disk '%s'",
              json_string_or(disk, "name", "?"));
    if (kind == NEED_DEVICE && json_true(disk, "overwrite"))
        needs_add(needs, NEED_OVERWRITE, image, 0, "disk '%s'", json_string_or(disk, "name", "?"));
}

static void add_medium(const cJSON *medium, struct needs *needs)
{
    const char *image = json_string_or(medium, "image", "");

    if (*image)
        needs_add(needs, *image == '/' ? NEED_READ : NEED_UNKNOWN, image, 0, "drive '%s'",
                  json_string_or(medium, "name", "?"));
}

static void add_files(const cJSON *qemu, struct needs *needs)
{
    static const char *const made[] = { "outputs", "sockets", "pidfiles" };
    const cJSON *item;

    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        cJSON_ArrayForEach (item, get(qemu, made[i]))
            if (!needs_have(needs, NEED_FILE, text_of(item)))
                needs_add(needs, NEED_FILE, text_of(item), 0, "%s", "");
    cJSON_ArrayForEach (item, get(qemu, "needs")) {
        const char *path = json_string_or(item, "path", "");

        if (!needs_have(needs, NEED_READ, path) && !needs_have(needs, NEED_SCRIPT, path))
            needs_add(needs, NEED_READ, path, 0, "%s", "");
    }
    cJSON_ArrayForEach (item, get(qemu, "searched"))
        if ((*text_of(item) == '/' || strstr(text_of(item), "..")) &&
            !needs_have(needs, NEED_READ, text_of(item)))
            needs_add(needs, NEED_READ, text_of(item), 0, "%s", "");
}

/* ---- networks ---- */

static void add_bridges(const cJSON *qemu, struct needs *needs)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, get(qemu, "taps")) {
        const char *tap = json_string_or(item, "tap", "");
        const char *bridge = json_string_or(item, "bridge", "");

        needs_add(needs, NEED_BRIDGE, *bridge ? bridge : tap, 0, "tap '%s'", tap);
    }
    cJSON_ArrayForEach (item, get(qemu, "bridges"))
        if (!needs_have(needs, NEED_BRIDGE, text_of(item)))
            needs_add(needs, NEED_BRIDGE, text_of(item), 0, "%s", "");
}

bool qemu_needs(const struct copy *copy, const cJSON *params, struct needs *needs,
                struct error *err)
{
    const cJSON *qemu = json_object(params, "qemu", err);
    const cJSON *words = qemu ? json_array(qemu, "words", err) : NULL;
    const cJSON *item;

    (void)copy;
    if (!words)
        return false;
    add_program(qemu, needs);
    add_user(qemu, needs);
    cJSON_ArrayForEach (item, get(params, "disks"))
        add_disk(item, needs);
    cJSON_ArrayForEach (item, get(qemu, "media"))
        add_medium(item, needs);
    add_bridges(qemu, needs);
    if (!line_needs(params, needs, err))
        return false;
    add_files(qemu, needs);
    return true;
}
