/* What stands before a program of the VM's. */
#include "host/qemu/copy/launch-words.h"

#include <pwd.h>
#include <stdarg.h>

#include "host/system/program.h"
#include "xmig/text.h"

void launch_words_append(struct launch_words *line, const char *format, ...)
{
    va_list args;

    line->words = must(realloc(line->words, (line->count + 2) * sizeof(*line->words)));
    va_start(args, format);
    line->words[line->count++] = vformatted(format, args);
    va_end(args);
    line->words[line->count] = NULL;
}

void launch_words_done(struct launch_words *line)
{
    for (size_t i = 0; i < line->count; i++)
        free(line->words[i]);
    free(line->words);
}

static bool has_systemd(bool of_user)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    AUTO_FREE char *manager = runtime ? formatted("%s/%s", runtime, "systemd/private") : NULL;
    AUTO_FREE char *program = program_find("systemd-run");

    if (!program || access("/run/systemd/system", F_OK) < 0)
        return false;
    return !of_user || (manager && access(manager, F_OK) == 0);
}

static void add_scope(const struct qemu_copy *vm, const char *what, struct launch_words *line)
{
    bool of_user = geteuid() != 0;

    if (!has_systemd(of_user))
        return;
    launch_words_append(line, "systemd-run");
    if (of_user)
        launch_words_append(line, "--user");
    launch_words_append(line, "--scope");
    launch_words_append(line, "--quiet");
    launch_words_append(line, "--collect");
    launch_words_append(line, "--unit=xmig-%s-%s", what, vm->base.context.id);
    launch_words_append(line, "--");
}

/* The path names our pid, because "self" may be systemd-run when it is opened. */
static void add_launch(const struct qemu_copy *vm, struct launch_words *line)
{
    launch_words_append(line, "/proc/%d/exe", (int)getpid());
    launch_words_append(line, "launch");
    launch_words_append(line, "--umask=%o", (unsigned)vm->params.qemu.umask);
    if ((geteuid() != 0 || !vm->as_self) && vm->line.bridges->child)
        launch_words_append(line, "--may-gain-rights");
    launch_words_append(line, "--");
}

static void add_user(const struct qemu_copy *vm, struct launch_words *line)
{
    const struct passwd *user = vm->as_self ? NULL : getpwuid(vm->uid);

    if (vm->as_self)
        return;
    launch_words_append(line, "setpriv");
    launch_words_append(line, "--reuid=%u", (unsigned)vm->uid);
    launch_words_append(line, "--regid=%u", user ? (unsigned)user->pw_gid : (unsigned)vm->uid);
    launch_words_append(line, user ? "--init-groups" : "--clear-groups");
    launch_words_append(line, "--");
}

void launch_words_begin(const struct qemu_copy *vm, const char *what, struct launch_words *line)
{
    add_scope(vm, what, line);
    add_launch(vm, line);
    add_user(vm, line);
}
