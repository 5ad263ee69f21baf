/* Looking up a name, a value or a socket on a QEMU's command line. */
#include "host/qemu/argv/argv.h"
#include "xmig/paths.h"

char *argv_name(const cJSON *words)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *value = argv_value(words, "name");
    const char *guest;

    if (!value || !keyvals_parse(value, &kv, NULL))
        return NULL;
    guest = keyvals_get_implied(&kv, "guest");
    return guest ? must(strdup(guest)) : NULL;
}

bool argv_has(const cJSON *words, const char *option)
{
    struct option_step step = { .rest = words->child };

    while (option_next(&qemu_options, &step, NULL))
        if (!strcmp(step.name, option))
            return true;
    return false;
}

const char *argv_value(const cJSON *words, const char *option)
{
    struct option_step step = { .rest = words->child };
    const char *value = NULL;

    while (option_next(&qemu_options, &step, NULL))
        if (!strcmp(step.name, option))
            value = step.value;
    return value;
}

static bool is_own(const struct keyvals *kv)
{
    const char *id = keyvals_get(kv, "id");

    return id && !strcmp(id, ARGV_OWN_MONITOR);
}

/* Is the chardev `id` used by a monitor that speaks QMP? */
static bool is_control(const cJSON *words, const char *id)
{
    struct option_step step = { .rest = words->child };

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        const char *chardev, *mode;

        if (strcmp(step.name, "mon") != 0 || !keyvals_parse(step.value, &kv, NULL))
            continue;
        chardev = keyvals_get_implied(&kv, "chardev");
        mode = keyvals_get(&kv, "mode");
        if (chardev && mode && id && !strcmp(chardev, id) && !strcmp(mode, "control"))
            return true;
    }
    return false;
}

static void add_socket(cJSON *sockets, const char *cwd, const char *path, bool first)
{
    AUTO_FREE char *absolute = path_absolute(cwd, path);
    cJSON *item = must(cJSON_CreateString(absolute));

    if (first)
        cJSON_InsertItemInArray(sockets, 0, item);
    else
        cJSON_AddItemToArray(sockets, item);
}

/* -qmp unix:PATH,server=on */
static void add_qmp_option(cJSON *sockets, const char *cwd, const char *value)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (strncmp(value, "unix:", 5) != 0 || !keyvals_parse(value + 5, &kv, NULL))
        return;
    if (keyvals_flag(&kv, "server") && keyvals_get_implied(&kv, "path"))
        add_socket(sockets, cwd, keyvals_get_implied(&kv, "path"), false);
}

/* -chardev socket,id=ID,path=PATH,server=on with -mon chardev=ID,mode=control */
static void add_qmp_chardev(cJSON *sockets, const cJSON *words, const char *cwd, const char *value)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, NULL) || !keyvals_flag(&kv, "server"))
        return;
    if (keyvals_get(&kv, "path") && is_control(words, keyvals_get(&kv, "id")))
        add_socket(sockets, cwd, keyvals_get(&kv, "path"), is_own(&kv));
}

cJSON *argv_qmp_sockets(const cJSON *words, const char *cwd)
{
    cJSON *sockets = must(cJSON_CreateArray());
    struct option_step step = { .rest = words->child };

    while (option_next(&qemu_options, &step, NULL)) {
        if (!strncmp(step.name, "qmp", 3))
            add_qmp_option(sockets, cwd, step.value);
        else if (!strcmp(step.name, "chardev"))
            add_qmp_chardev(sockets, words, cwd, step.value);
    }
    return sockets;
}
