/* Options that say where the guest's sound goes. */
#include "host/qemu/argv/rewriters.h"

/* Sound drivers that lead to the desktop of the person who started the VM. */
static const char *const of_desktop[] = { "alsa", "coreaudio", "dbus", "dsound", "jack", "oss",
                                          "pa",   "pipewire",  "sdl",  "sndio",  NULL };

static void copy(struct keyvals *to, const struct keyvals *from, const char *key)
{
    const char *value = keyvals_get(from, key);

    if (value)
        keyvals_set(to, key, value);
}

/* There is no desktop at the target; the guest does not notice. */
static void silence(struct rewriting *r, struct keyvals *kv, const char *driver)
{
    struct keyvals silent;

    keyvals_parse("none", &silent, NULL);
    copy(&silent, kv, "model");
    copy(&silent, kv, "id");
    rewriting_note(r, "no sound: at the target it goes nowhere, and not to '%s'", driver);
    keyvals_done(kv);
    *kv = silent;
}

bool rewrite_audio(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *driver = keyvals_get_implied(kv, "driver");

    (void)err;
    if (word_is_among(driver, of_desktop)) {
        silence(r, kv, driver);
        return true;
    }
    if (driver)
        cJSON_AddItemToArray(r->result->audio, must(cJSON_CreateString(driver)));
    if (driver && !strcmp(driver, "wav") && !keyvals_get(kv, "path"))
        keyvals_set(kv, "path", "qemu.wav"); /* QEMU's own default */
    rewriting_path_key(r, kv, "path", rewriting_write);
    return true;
}
