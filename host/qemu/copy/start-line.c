/* What starts the VM by hand, or at boot, once it is this host's: without what only a migration
 * needs. `xmig unit` reads it.
 */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>

#include "host/qemu/copy/copy.h"
#include "xmig/text.h"

/* The words for a shell; the caller frees them. */
static char *for_shell(const cJSON *words)
{
    char *text = NULL;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));
    const cJSON *word;

    cJSON_ArrayForEach (word, words) {
        fputc('\'', out);
        for (const char *c = word->valuestring; *c; c++)
            fputs(*c == '\'' ? "'\\''" : (char[]){ *c, '\0' }, out);
        fputs("' ", out);
    }
    if (fclose(out))
        abort();
    return text;
}

static void add_text(cJSON *array, const char *text)
{
    cJSON_AddItemToArray(array, must(cJSON_CreateString(text)));
}

/* A TPM has to listen before QEMU starts: swtpm returns to the shell then. */
static cJSON *words_after_tpm(const struct qemu_copy *vm, const cJSON *tpm)
{
    cJSON *words = must(cJSON_CreateArray());
    AUTO_FREE char *swtpm = for_shell(tpm);
    AUTO_FREE char *script = formatted("%s--daemon && exec \"$0\" \"$@\"", swtpm);
    const cJSON *word;

    add_text(words, "-c");
    add_text(words, script);
    add_text(words, vm->program);
    cJSON_ArrayForEach (word, vm->words)
        add_text(words, word->valuestring);
    return words;
}

bool qemu_write_start_line(const struct qemu_copy *vm, struct error *err)
{
    AUTO_FREE char *path = formatted("%s/%s", vm->base.context.state_dir, "start.json");
    const struct passwd *user = vm->as_self ? NULL : getpwuid(vm->uid);
    AUTO_JSON cJSON *start = must(cJSON_CreateObject());
    AUTO_JSON cJSON *tpm = tpm_words(vm);
    AUTO_FREE char *text = NULL;
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    cJSON_AddStringToObject(start, "program", tpm ? "/bin/sh" : vm->program);
    cJSON_AddItemToObject(start, "words",
                          tpm ? words_after_tpm(vm, tpm) : cJSON_Duplicate(vm->words, true));
    json_add_uint(start, "umask", vm->params.qemu.umask);
    if (!vm->as_self) {
        AUTO_FREE char *number = formatted("%u", (unsigned)vm->uid);

        cJSON_AddStringToObject(start, "user", user ? user->pw_name : number);
    }
    text = json_print(start);
    return (fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text)) ||
           error_set(err, ERROR_SYSTEM, "cannot write '%s': %m", path);
}
