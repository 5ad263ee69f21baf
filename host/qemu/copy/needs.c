/* What a QEMU would need of this host, for a policy to judge: by its command line and the other
 * parameters, as they arrived.
 */
#include <pwd.h>

#include "host/needs/disks.h"
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
    AUTO_FREE char *found = qemu_find_program(wanted, true);

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

/* ---- files ---- */

static void add_files(const cJSON *qemu, struct needs *needs)
{
    static const char *const made[] = { "outputs", "sockets", "pidfiles" };
    const cJSON *item;

    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        paths_need(get(qemu, made[i]), NEED_FILE, needs);
    paths_need(get(qemu, "needs"), NEED_READ, needs);
    cJSON_ArrayForEach (item, get(qemu, "searched")) /* mere names lie in QEMU's own folders */
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

bool machine_needs(const cJSON *params, bool mirrored, struct needs *needs, struct error *err)
{
    const cJSON *qemu = json_object(params, "qemu", err);
    const cJSON *words = qemu ? json_array(qemu, "words", err) : NULL;

    if (!words)
        return false;
    add_program(qemu, needs);
    add_user(qemu, needs);
    disks_need(get(params, "disks"), mirrored, needs);
    media_need(get(qemu, "media"), NULL, needs);
    add_bridges(qemu, needs);
    if (!line_needs(params, mirrored, needs, err))
        return false;
    add_files(qemu, needs);
    return true;
}

/* What is no parameter of the right type must not be taken for another need than the copy's. */
bool qemu_needs(const struct copy *copy, const cJSON *params, struct needs *needs,
                struct error *err)
{
    struct qemu_params read;

    return qemu_params_read(params, &read, err) &&
           machine_needs(params, copy->context.options.mirrors_disks, needs, err);
}
