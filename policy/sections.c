/* Turns the lines of policy files into sections. */
#include "policy/sections.h"

#include "policy/ini.h"
#include "xmig/text.h"

static struct section *find(const struct sections *sections, const char *name)
{
    for (size_t i = 0; i < sections->count; i++)
        if (!strcmp(sections->items[i].name, name))
            return &sections->items[i];
    return NULL;
}

const struct section *sections_find(const struct sections *sections, const char *name)
{
    return find(sections, name);
}

static struct section *add(struct sections *sections, const struct ini_line *line)
{
    struct section *section;

    sections->items =
        must(realloc(sections->items, (sections->count + 1) * sizeof(*sections->items)));
    section = &sections->items[sections->count++];
    *section =
        (struct section){ .name = must(strdup(line->section)), .file = must(strdup(line->file)) };
    return section;
}

static bool take_setting(struct section *section, const struct ini_line *line, struct error *err)
{
    struct setting *setting;
    enum key key;

    if (!key_find(line->key, &key))
        return error_set(err, ERROR_REFUSED, "there is no key '%s'", line->key);
    setting = &section->settings[key];
    if (setting->from)
        return error_set(err, ERROR_REFUSED, "%s is set twice in [%s], first at %s", line->key,
                         section->name, setting->from);
    if (key == KEY_KEEP && strcmp(section->name, "default") != 0)
        return error_set(err, ERROR_REFUSED,
                         "'%s' is this host's, whoever sends, and stands in [default]", line->key);
    if (!setting_read(setting, key, line->value, err))
        return false;
    setting->from = formatted("%s:%d", line->file, line->number);
    return true;
}

static bool take_line(void *arg, const struct ini_line *line, struct error *err)
{
    struct sections *sections = arg;
    struct section *section = find(sections, line->section);

    if (!section)
        section = add(sections, line);
    return !line->key || take_setting(section, line, err);
}

bool sections_read(struct sections *sections, const char *file, const char *text, size_t size,
                   struct error *err)
{
    sections->files++;
    return ini_read(file, text, size, take_line, sections, err);
}

void sections_done(struct sections *sections)
{
    for (size_t i = 0; i < sections->count; i++) {
        struct section *section = &sections->items[i];

        for (size_t key = 0; key < KEY_COUNT; key++)
            setting_done(&section->settings[key]);
        free(section->name);
        free(section->file);
    }
    free(sections->items);
    *sections = (struct sections){ 0 };
}
