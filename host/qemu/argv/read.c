/* Looking up a name, a value or a socket on a QEMU's command line. */
#include "host/qemu/argv/argv.h"
#include "xmig/paths.h"
#include "xmig/text.h"

/* QEMU takes all of them together: a later one may say only how its process is called. */
char *argv_name(const cJSON *words)
{
    struct option_step step = { .rest = words->child };
    AUTO_FREE char *name = NULL;

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        const char *guest = !strcmp(step.name, "name") && keyvals_parse(step.value, &kv, NULL)
                                ? keyvals_get_implied(&kv, "guest")
                                : NULL;

        if (!guest)
            continue;
        free(name);
        name = must(strdup(guest));
    }
    return steal(name);
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

/* The chardev by which the option is a monitor that speaks QMP; NULL: it is none. `kv` is filled,
 * and owns the text.
 */
static const char *control_chardev(const struct option_step *step, struct keyvals *kv)
{
    const char *value = step->value;
    const char *mode;

    if (!strncmp(step->name, "qmp", 3))
        return !strncmp(value, "chardev:", 8) ? value + 8 : NULL;
    if (!value || !keyvals_parse(value, kv, NULL))
        return NULL;
    if (!strcmp(step->name, "object")) {
        mode = keyvals_get_implied(kv, "qom-type");
        return mode && !strcmp(mode, "monitor-qmp") ? keyvals_get(kv, "chardev") : NULL;
    }
    mode = keyvals_get(kv, "mode");
    return mode && !strcmp(mode, "control") ? keyvals_get_implied(kv, "chardev") : NULL;
}

/* Is the chardev `id` used by a monitor that speaks QMP? */
static bool is_control(const cJSON *words, const char *id)
{
    static const char *const monitors[] = { "mon", "qmp", "qmp-pretty", "object", NULL };
    struct option_step step = { .rest = words->child };

    while (option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        const char *chardev =
            word_is_among(step.name, monitors) ? control_chardev(&step, &kv) : NULL;

        if (chardev && id && !strcmp(chardev, id))
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

/* One of several ports may be another QEMU's. */
static void add_port(cJSON *ports, const struct keyvals *kv, const char *address)
{
    if (keyvals_flag(kv, "server") && !keyvals_get(kv, "to"))
        cJSON_AddItemToArray(ports, must(cJSON_CreateString(address)));
}

/* -qmp unix:PATH,server=on, or -qmp tcp:HOST:PORT,server=on */
static void add_qmp_option(cJSON *sockets, cJSON *ports, const char *cwd, const char *value)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    bool is_unix = !strncmp(value, "unix:", 5);
    const char *where;

    if ((!is_unix && strncmp(value, "tcp:", 4) != 0) ||
        !keyvals_parse(value + (is_unix ? 5 : 4), &kv, NULL))
        return;
    where = keyvals_get_implied(&kv, is_unix ? "path" : "addr");
    if (where && is_unix && keyvals_flag(&kv, "server")) {
        add_socket(sockets, cwd, where, false);
    } else if (where && !is_unix) {
        AUTO_FREE char *address = formatted("tcp:%s", where);

        add_port(ports, &kv, address);
    }
}

/* -chardev socket,id=ID,path=PATH,server=on (or host=,port=) that a monitor has */
static void add_qmp_chardev(cJSON *sockets, cJSON *ports, const cJSON *words, const char *cwd,
                            const char *value)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *host, *port;

    if (!keyvals_parse(value, &kv, NULL) || !keyvals_flag(&kv, "server") ||
        !is_control(words, keyvals_get(&kv, "id")))
        return;
    host = keyvals_get(&kv, "host");
    port = keyvals_get(&kv, "port");
    if (keyvals_get(&kv, "path")) {
        add_socket(sockets, cwd, keyvals_get(&kv, "path"), is_own(&kv));
    } else if (port) {
        bool is_ipv6 = host && strchr(host, ':');
        AUTO_FREE char *address = formatted("tcp:%s%s%s:%s", is_ipv6 ? "[" : "", host ? host : "",
                                            is_ipv6 ? "]" : "", port);

        add_port(ports, &kv, address);
    }
}

cJSON *argv_qmp_sockets(const cJSON *words, const char *cwd)
{
    cJSON *sockets = must(cJSON_CreateArray());
    AUTO_JSON cJSON *ports = must(cJSON_CreateArray());
    struct option_step step = { .rest = words->child };

    while (option_next(&qemu_options, &step, NULL)) {
        if (!strncmp(step.name, "qmp", 3))
            add_qmp_option(sockets, ports, cwd, step.value);
        else if (!strcmp(step.name, "chardev"))
            add_qmp_chardev(sockets, ports, words, cwd, step.value);
    }
    while (ports->child)
        cJSON_AddItemToArray(sockets, cJSON_DetachItemFromArray(ports, 0));
    return sockets;
}
