/* -readconfig: a file of options, which QEMU reads where the line names it. Each section of the
 * file is put into the line as the option that it stands for, so that whoever looks at the line
 * sees the whole machine, and the target needs no such file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/qemu/argv/rewriters.h"
#include "xmig/paths.h"
#include "xmig/text.h"

enum {
    LINE_BYTES = 1024, /* QEMU's own buffer: a longer line is two for it */
    WORD_BYTES = 64,
    MOST_BYTES = 1 << 20, /* of a file: more is something else */
};

/* Sections that are not called as their option is. */
static const struct {
    const char *section, *option;
} renamed[] = {
    { "memory", "m" },
    { "smp-opts", "smp" },
    { "boot-opts", "boot" },
    { "acpi", "acpitable" },
};

struct config {
    cJSON *words;
    char option[WORD_BYTES]; /* "": no section has begun */
    struct keyvals kv;
};

static const char *option_of(const char *section)
{
    for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
        if (!strcmp(renamed[i].section, section))
            return renamed[i].option;
    return section;
}

static void end_section(struct config *config)
{
    AUTO_FREE char *option = formatted("-%s", config->option);
    AUTO_FREE char *value = keyvals_print(&config->kv);

    if (*config->option) {
        cJSON_AddItemToArray(config->words, must(cJSON_CreateString(option)));
        cJSON_AddItemToArray(config->words, must(cJSON_CreateString(value)));
    }
    keyvals_done(&config->kv);
}

/* As QEMU reads a line, mistakes included: a value without quotation marks is empty. */
static bool take_line(struct config *config, const char *line)
{
    char word[WORD_BYTES], value[LINE_BYTES] = "";

    if (*line == '\n' || *line == '#')
        return true;
    if (*line == '[') {
        int parts = sscanf(line, "[%63s \"%63[^\"]\"]", word, value);

        if (parts != 2 && sscanf(line, "[%63[^]]]", word) != 1)
            return false;
        end_section(config);
        snprintf(config->option, sizeof(config->option), "%s", option_of(word));
        if (parts == 2)
            keyvals_set(&config->kv, "id", value);
        return true;
    }
    if (!*config->option || (sscanf(line, " %63s = \"%1023[^\"]\"", word, value) != 2 &&
                             sscanf(line, " %63s = \"\"", word) != 1))
        return false;
    keyvals_set(&config->kv, word, value);
    return true;
}

/* Only a file: a pipe or a device, which anybody's line may name, could keep us for ever, and does
 * something already when it is opened (/dev/watchdog): what it is, is looked at before.
 */
static FILE *open_file(const char *path, struct error *err)
{
    AUTO_CLOSE int place = open(path, O_PATH | O_CLOEXEC);
    AUTO_FREE char *same = formatted("/proc/self/fd/%d", place);
    struct stat st;
    FILE *file = NULL;

    if (place < 0 || fstat(place, &st) < 0)
        error_set(err, ERROR_REFUSED, "%m");
    else if (!S_ISREG(st.st_mode))
        error_set(err, ERROR_REFUSED, "it is no regular file");
    else if (st.st_size > MOST_BYTES)
        error_set(err, ERROR_REFUSED, "it is larger than 1 MiB");
    else if (!(file = fopen(same, "re")))
        error_set(err, ERROR_REFUSED, "%m");
    return file;
}

cJSON *config_words(const char *path, struct error *err)
{
    AUTO_JSON cJSON *words = must(cJSON_CreateArray());
    struct config config = { .words = words };
    FILE *file = open_file(path, err);
    char line[LINE_BYTES];
    bool ok = file != NULL;

    while (ok && fgets(line, sizeof(line), file))
        ok = take_line(&config, line) ||
             error_set(err, ERROR_REFUSED, "its line '%.*s' is not understood",
                       (int)strcspn(line, "\n"), line);
    if (file)
        fclose(file);
    end_section(&config);
    return ok ? steal(words) : NULL;
}

/* One that is still on the line was not understood. What another host sends has none. */
bool rewrite_readconfig(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_FREE char *path = path_absolute(r->cwd, value);
    struct error why = { 0 };
    AUTO_JSON cJSON *words = r->name ? config_words(path, &why) : NULL;

    if (!r->name)
        return rewriting_refuse(r, value, err);
    (void)words;
    return error_set(err, ERROR_REFUSED,
                     "xmig cannot read '%s' (-readconfig): %s; so it does not know what the VM "
                     "consists of: put the file there as it was when QEMU was started",
                     path,
                     why.kind == ERROR_NONE ? "it was not there a moment ago, or is one of too many"
                                            : why.text);
}
