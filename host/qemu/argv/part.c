/* A raw image of which the guest is shown a part: QEMU's driver for raw images has a word for it.
 */
#include <inttypes.h>

#include "host/qemu/argv/argv.h"
#include "qmp/argv/image-place.h"
#include "xmig/text.h"

static bool is(const char *text, const char *word)
{
    return text && !strcmp(text, word);
}

/* Is it a -drive or -blockdev that opens the file `name`, or stands on the node `name`? */
static bool opens(const struct option_step *step, const char *name, struct keyvals *kv,
                  struct image_place *place)
{
    bool is_drive = is(step->name, "drive");

    return (is_drive || is(step->name, "blockdev")) && keyvals_parse(step->value, kv, NULL) &&
           image_place_find(kv, is_drive, place) && is(keyvals_get(kv, place->key), name);
}

static void replace_value(cJSON *words, const char *value, const struct keyvals *kv)
{
    AUTO_FREE char *text = keyvals_print(kv);
    int at = 0;

    while (cJSON_GetArrayItem(words, at)->valuestring != value)
        at++;
    cJSON_ReplaceItemInArray(words, at, must(cJSON_CreateString(text)));
}

/* Of the node that opens the file, where no raw format lies above it in its own option. */
static char *node_name(const struct keyvals *kv, const struct image_place *place)
{
    AUTO_FREE char *key = formatted("%snode-name", place->opener);
    const char *name = keyvals_get(kv, key);

    return name ? must(strdup(name)) : NULL;
}

bool argv_show_part(cJSON *words, const char *path, uint64_t size, struct error *err)
{
    AUTO_FREE char *wanted = must(strdup(path));
    struct option_step step = { .rest = words->child };

    while (wanted && option_next(&qemu_options, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };
        AUTO_PLACE struct image_place place = { 0 };

        if (!opens(&step, wanted, &kv, &place))
            continue;
        if (place.format && is(image_place_driver(&place, &kv, place.format), "raw")) {
            AUTO_FREE char *key = formatted("%ssize", place.format);

            keyvals_set_number(&kv, key, size);
            replace_value(words, step.value, &kv);
            return true;
        }
        free(wanted);
        wanted = node_name(&kv, &place);
    }
    return error_set(
        err, ERROR_REFUSED,
        "'%s' is larger than the disk, and no node of the VM's command line could show "
        "less of it (driver=raw): make it exactly %" PRIu64 " bytes",
        path, size);
}
