/* What the target's QEMU prints when it is asked for help. Each question is put once to a program,
 * for a QEMU takes a quarter of a second to answer.
 */
#include "host/qemu/copy/copy.h"
#include "host/system/file-identity.h"
#include "host/system/program.h"
#include "xmig/text.h"

/* A program that was replaced meanwhile is asked anew. */
static cJSON *answers_of(struct qemu_copy *vm)
{
    if (vm->help && file_identity_has(vm->program, vm->help))
        return vm->help;
    cJSON_Delete(vm->help);
    vm->help = must(cJSON_CreateObject());
    (void)file_identity_add_path(vm->help, vm->program, NULL);
    return vm->help;
}

/* With the options of -spice, "spice options:\n…", QEMU ends as after a mistake. */
static bool lists_options(const char *answer, const char *option)
{
    AUTO_FREE char *heading = formatted("%s options:\n", option);

    return !strncmp(answer, heading, strlen(heading));
}

/* NULL: the program does not say. The caller frees the answer. */
static char *ask(struct qemu_copy *vm, const char *const words[], const char *option,
                 struct error *err)
{
    AUTO_FREE char *answer = NULL;
    int status;

    if (!program_output(vm->base.context.loop, words, &answer, &status, QEMU_HELP_MS, err))
        return NULL;
    if (status == 0 || lists_options(answer, option))
        return steal(answer);
    error_set(err, ERROR_SYSTEM, "%s does not answer '%s' (status %d)", vm->program, words[1],
              status);
    return NULL;
}

const char *qemu_help(struct qemu_copy *vm, const char *option, const char *what, struct error *err)
{
    cJSON *answers = answers_of(vm);
    AUTO_FREE char *dashed = formatted("-%s", option);
    AUTO_FREE char *question = formatted("%s %s", dashed, what ? what : "");
    const char *const plain[] = { vm->program, dashed, what, NULL };
    /* QEMU 7.2 answers this one, and then says that it has failed. */
    const char *const failing[] = { "/bin/sh",   "-c",   "\"$@\" || :", "sh",
                                    vm->program, dashed, what,          NULL };
    const char *const *words = strcmp(option, "spice") ? plain : failing;
    const cJSON *known = cJSON_GetObjectItemCaseSensitive(answers, question);
    AUTO_FREE char *answer = NULL;

    if (!known) {
        answer = ask(vm, words, option, err);
        cJSON_AddItemToObject(answers, question,
                              must(answer ? cJSON_CreateString(answer) : cJSON_CreateNull()));
        known = cJSON_GetObjectItemCaseSensitive(answers, question);
    } else if (!known->valuestring) {
        error_set(err, ERROR_SYSTEM, "%s does not answer '%s'", vm->program, question);
    }
    return known->valuestring;
}

/* The first words of the lines of "-machine help" are what there is. */
static bool lists(const char *text, const char *wanted)
{
    size_t len = strlen(wanted);
    const char *line = text;

    while (line) {
        if (!strncmp(line, wanted, len) && (line[len] == ' ' || line[len] == '\n' || !line[len]))
            return true;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

bool qemu_check_help(struct qemu_copy *vm, const char *option, const char *wanted,
                     struct error *err)
{
    const char *help = qemu_help(vm, option, "help", err);

    if (!help)
        return false;
    return lists(help, wanted) || error_set(err, ERROR_REFUSED, "%s at the target knows no %s '%s'",
                                            vm->program, option, wanted);
}
