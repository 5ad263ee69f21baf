/* A policy's file, and the needs of a stranger's VM, which are judged by it. */
#include <stdint.h>

#include "policy/sections.h"

enum {
    MAX_SIZE = 64 * 1024
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
    if (!fact)
        abort();
}

/* All that a key is set to has a place in the file, and was read as the key's type says. */
static void require_setting(const struct key_row *row, const struct setting *setting)
{
    bool has_words =
        row->type == TYPE_WORDS || row->type == TYPE_ABSOLUTE || row->type == TYPE_ADDRESSES;
    const cJSON *word;

    require(!strncmp(setting->from, "recv.conf:", 10) && setting->value);
    require(has_words == (setting->words != NULL) && has_words == !setting->is_limit);
    cJSON_ArrayForEach (word, setting->words)
        require(*word->valuestring && (row->type != TYPE_ABSOLUTE || *word->valuestring == '/'));
}

/* What is asked of it is the beginning of the input. */
static void judge(const struct key_row *row, const struct setting *setting, char *text)
{
    for (int kind = NEED_VM; kind < NEED_UNKNOWN; kind++) {
        const struct need need = { .kind = (enum need_kind)kind, .what = text, .of = "" };

        if (row->permits && (setting->words || setting->is_limit))
            (void)row->permits(setting, &need);
    }
}

static void check_section(const struct section *section, char *text)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!section->settings[i].from)
            continue;
        require_setting(&key_rows[i], &section->settings[i]);
        judge(&key_rows[i], &section->settings[i], text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sections sections = { 0 };
    struct error err = { 0 };
    AUTO_FREE char *text = NULL;

    if (size > MAX_SIZE)
        return 0;
    text = strndup((const char *)data, size < 200 ? size : 200);
    if (sections_read(&sections, "recv.conf", (const char *)data, size, &err))
        for (size_t i = 0; i < sections.count; i++)
            check_section(&sections.items[i], text);
    else
        require(err.kind == ERROR_REFUSED && !strncmp(err.text, "recv.conf:", 10));
    sections_done(&sections);
    return 0;
}
