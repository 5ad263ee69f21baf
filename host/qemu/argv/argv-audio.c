/* Options that say where the guest's sound goes. */
#include "host/qemu/argv/argv-rewrite.h"

/* They lead to the desktop of whoever has started the VM. */
static bool is_of_desktop(const char *driver)
{
    static const char *const drivers[] = { "alsa", "coreaudio", "dsound", "jack", "oss",
                                           "pa",   "pipewire",  "sdl",    "sndio" };

    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
        if (!strcmp(drivers[i], driver))
            return true;
    return false;
}

static void copy(struct keyvals *to, const struct keyvals *from, const char *key)
{
    const char *value = keyvals_get(from, key);

    if (value)
        keyvals_set(to, key, value);
}

/* There is no desktop at the target; the guest does not notice. */
static void silence(struct rewriting *r, const char *option, const struct keyvals *kv,
                    const char *driver)
{
    AUTO_KEYVALS struct keyvals silent = { 0 };

    keyvals_parse("none", &silent, NULL);
    copy(&silent, kv, "model");
    copy(&silent, kv, "id");
    rewriting_emit_keyvals(r, option, &silent);
    rewriting_note(r, "no sound: at the target it goes nowhere, and not to '%s'", driver);
}

bool rewrite_audio(struct rewriting *r, const char *option, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };
    const char *driver;

    if (!keyvals_parse(value, &kv, err))
        return false;
    driver = keyvals_get_implied(&kv, "driver");
    if (driver && is_of_desktop(driver)) {
        silence(r, option, &kv, driver);
        return true;
    }
    if (driver)
        cJSON_AddItemToArray(r->result->audio, must(cJSON_CreateString(driver)));
    rewriting_write_key(r, &kv, "path");
    rewriting_emit_keyvals(r, option, &kv);
    return true;
}
