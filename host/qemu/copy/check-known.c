/* The command line in the words of the target's QEMU, and whether that knows all of it. */
#include "host/qemu/argv/known.h"
#include "host/qemu/copy/copy.h"
#include "xmig/text.h"

static const char *help(void *arg, const char *option, const char *what)
{
    return qemu_help(arg, option, what, NULL);
}

bool qemu_check_known(struct qemu_copy *vm, struct error *err)
{
    const struct qemu_machine *qemu = &vm->params.qemu;
    AUTO_FREE char *who = formatted("%s at the target", vm->program);
    struct argv_known known = {
        .help = help,
        .arg = vm,
        .is_other = vm->images.qemu != QEMU_VERSION((unsigned)qemu->major, (unsigned)qemu->minor),
        .who = who,
    };

    cJSON_Delete(vm->words);
    vm->words = argv_translate(qemu->words, &known, vm->notes, err);
    return vm->words && argv_check_known(vm->words, &known, err);
}
