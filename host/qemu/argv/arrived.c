/* A command line that came from another host. Its xmig has walked the table already: walked again
 * here, the line must stay as it is, and what it would be refused for there it is refused for here.
 */
#include "host/qemu/argv/rewriters.h"

/* Options whose values are texts for the guest, or whose files argv's functions know all. */
static const char *const of_texts[] = { "append", "name",   "prom-env", "uuid",      "smbios",
                                        "fw_cfg", "object", "spice",    "acpitable", "iscsi",
                                        "cpu",    "rtc",    NULL };

struct looking {
    const struct argv_vm *vm;
    const struct argv_result *result;
    const char *unknown; /* a path that no function has looked at */
};

static bool is_image(const struct argv_vm *vm, const char *path)
{
    for (size_t i = 0; i < vm->disk_count; i++)
        if (!strcmp(vm->disks[i].target, path))
            return true;
    return false;
}

/* "/path", "unix:/path"; not what is in a network: "nbd://host/export". NULL: none. */
static const char *path_in(const char *value)
{
    const char *colon = strstr(value, ":/");

    if (*value == '/')
        return value;
    return colon && colon[2] != '/' && strcspn(value, "/") > (size_t)(colon - value) ? colon + 1
                                                                                     : NULL;
}

static void look_at(void *arg, const char *value)
{
    struct looking *looking = arg;
    const char *path = path_in(value);

    if (path && !is_image(looking->vm, path) && !argv_result_lists(looking->result, path))
        looking->unknown = path;
}

static bool check_option(const struct option_step *step, struct looking *looking, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!step->value || word_is_among(step->name, of_texts))
        return true;
    if (!keyvals_parse(step->value, &kv, err))
        return false;
    keyvals_each(&kv, look_at, looking);
    return !looking->unknown ||
           error_set(err, ERROR_REFUSED,
                     "xmig does not know what '%s' is for in '-%s %s', and so not whether a VM may "
                     "have it here",
                     looking->unknown, step->name, step->value);
}

static bool check_paths(const struct argv_vm *vm, const struct argv_result *result,
                        struct error *err)
{
    struct looking looking = { .vm = vm, .result = result };
    struct option_step step = { .rest = result->words->child };

    while (option_next(&qemu_options, &step, NULL))
        if (!check_option(&step, &looking, err))
            return false;
    return true;
}

static bool check_unchanged(const cJSON *words, const cJSON *again, struct error *err)
{
    const cJSON *word = words->child, *other = again->child;

    while (word && other && !strcmp(word->valuestring, other->valuestring)) {
        word = word->next;
        other = other->next;
    }
    if (!word && !other)
        return true;
    return error_set(err, ERROR_REFUSED,
                     "this xmig would not give QEMU '%s', as the source's wants it to, but %s%s%s: "
                     "install the same xmig on both hosts",
                     word ? word->valuestring : "no more", other ? "'" : "",
                     other ? other->valuestring : "nothing", other ? "'" : "");
}

bool argv_arrived(const cJSON *words, const struct disk_params *disks, const char *machine,
                  const char *accelerator, struct argv_result *result, struct error *err)
{
    static const struct disk_params none = { 0 };
    AUTO_FREE struct argv_disk *moved = NULL;
    AUTO_FREE char **names = NULL;
    struct argv_vm vm = { .cwd = "/", .machine = machine, .accelerator = accelerator };

    disks = disks ? disks : &none;
    while (disks[vm.disk_count].name)
        vm.disk_count++;
    vm.disks = moved = must(calloc(vm.disk_count + 1, sizeof(*moved)));
    names = must(calloc(2 * vm.disk_count + 1, sizeof(*names)));
    for (size_t i = 0; i < vm.disk_count; i++) {
        names[2 * i] = (char *)disks[i].image;
        moved[i] = (struct argv_disk){ .paths = &names[2 * i],
                                       .said = &names[2 * i],
                                       .target = disks[i].image,
                                       .format = disks[i].format ? disks[i].format : "raw",
                                       .stays_full = disks[i].full };
    }
    return argv_rewrite(words, &vm, result, err) && check_unchanged(words, result->words, err) &&
           check_paths(&vm, result, err);
}
