/* -tpmdev: a TPM that a program emulates, which is connected to by a socket of its own. */
#include "host/qemu/argv/rewriters.h"

static bool is(const char *text, const char *word)
{
    return text && !strcmp(text, word);
}

/* The id of the TPM's character device; the caller frees it. NULL: there is no TPM. */
static char *chardev_of(const struct option_table *table, const cJSON *words)
{
    struct option_step step = { .rest = words->child };

    while (option_next(table, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };

        if (is(step.name, "tpmdev") && keyvals_parse(step.value, &kv, NULL) &&
            is(keyvals_get_implied(&kv, "type"), "emulator") && keyvals_get(&kv, "chardev"))
            return must(strdup(keyvals_get(&kv, "chardev")));
    }
    return NULL;
}

bool rewriting_is_of_tpm(const struct qemu_rewriting *q, const struct keyvals *kv)
{
    AUTO_FREE char *chardev = chardev_of(q->base.table, q->words);

    return chardev && is(keyvals_get(kv, "id"), chardev) &&
           is(keyvals_get_implied(kv, "backend"), "socket") && keyvals_get(kv, "path") &&
           !keyvals_get(kv, "host") && !keyvals_get(kv, "port") && !keyvals_get(kv, "fd");
}

char *rewriting_tpm_socket(const struct option_table *table, const cJSON *words)
{
    AUTO_FREE char *chardev = chardev_of(table, words);
    struct option_step step = { .rest = words->child };

    while (chardev && option_next(table, &step, NULL)) {
        AUTO_KEYVALS struct keyvals kv = { 0 };

        if (is(step.name, "chardev") && keyvals_parse(step.value, &kv, NULL) &&
            is(keyvals_get(&kv, "id"), chardev) && keyvals_get(&kv, "path"))
            return must(strdup(keyvals_get(&kv, "path")));
    }
    return NULL;
}

bool rewrite_tpmdev(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    const char *type = keyvals_get_implied(kv, "type");
    AUTO_FREE char *socket = rewriting_tpm_socket(r->table, qemu_of(r)->words);

    if (!is(type, "emulator"))
        return error_set(
            err, ERROR_REFUSED,
            "the VM's TPM ('%s') is a device of this host: only one that swtpm emulates "
            "can be moved (-tpmdev emulator)",
            type ? type : "?");
    return socket ||
           error_set(err, ERROR_REFUSED,
                     "the VM's TPM is not reached by a socket that has a path: xmig would "
                     "not know which program emulates it");
}
