/* What the target's QEMU lists when it is asked for help. */
#include <string.h>

#include "host/qemu/copy/copy.h"
#include "host/system/program.h"

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
    const char *const words[] = { vm->program, option, "help", NULL };
    AUTO_FREE char *help = NULL;

    if (!program_run(vm->base.context.loop, words, &help, QEMU_HELP_MS, err))
        return false;
    if (lists(help, wanted))
        return true;
    return error_set(err, ERROR_REFUSED, "%s at the target knows no %s '%s'", vm->program,
                     option + 1, wanted);
}
