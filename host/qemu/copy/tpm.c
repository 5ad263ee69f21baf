/* The TPM of a copy: swtpm, started before QEMU, with an empty state that QEMU's own brings. */
#include <fcntl.h>
#include <stdio.h>

#include "host/line-files.h"
#include "host/qemu/copy/copy.h"
#include "host/qemu/copy/launch-words.h"
#include "host/system/file-identity.h"
#include "host/system/private-directory.h"
#include "host/system/program.h"
#include "host/system/unix-sockets.h"
#include "xmig/facts.h"
#include "xmig/paths.h"
#include "xmig/process.h"
#include "xmig/text.h"

enum {
    START_MS = 20000,
    KILL_MS = 10000,
    POLL_MS = 10
};

/* What swtpm keeps in its folder. */
static const char *const state_files[] = { "tpm2-00.permall",
                                           "tpm2-00.volatilestate",
                                           "tpm2-00.savestate",
                                           "tpm-00.permall",
                                           "tpm-00.volatilestate",
                                           "tpm-00.savestate",
                                           ".lock" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool read_tpm(const struct qemu_copy *vm, struct qemu_tpm *tpm)
{
    const cJSON *item = vm->params.qemu.tpms ? vm->params.qemu.tpms->child : NULL;

    return item && fields_get(qemu_tpm_fields, item, tpm);
}

/* ---- check ---- */

static bool is_listed(const cJSON *array, const char *text)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, array)
        if (!strcmp(item->valuestring, text))
            return true;
    return false;
}

static bool check_program(const struct qemu_copy *vm, const struct qemu_tpm *tpm, struct error *err)
{
    AUTO_FREE char *program = line_program_find(tpm->program, false, vm->base.context.policy);

    if (!program)
        return error_set(
            err, ERROR_REFUSED,
            "the VM has a TPM, which swtpm emulates, and there is no '%s' at the target: "
            "install swtpm there",
            tpm->program);
    return line_program_check(program, vm->uid, err);
}

static bool check_folder(const struct qemu_copy *vm, const struct qemu_tpm *tpm, struct error *err)
{
    AUTO_FREE char *above = path_directory(tpm->folder);
    AUTO_CLOSE int place = private_directory_open(above, vm->uid, err);
    struct stat st;

    if (place < 0)
        return error_prefix(err, "the state of the VM's TPM goes into '%s'", tpm->folder);
    for (size_t i = 0; i < COUNT(state_files); i++) {
        AUTO_FREE char *path = formatted("%s/%s", tpm->folder, state_files[i]);

        if (lstat(path, &st) == 0 && strcmp(state_files[i], ".lock") != 0)
            return error_set(err, ERROR_REFUSED,
                             "'%s' holds the state of a TPM already, and nothing is ever "
                             "overwritten: move it away",
                             path);
    }
    return lstat(tpm->folder, &st) < 0 || (S_ISDIR(st.st_mode) && st.st_uid == vm->uid) ||
           error_set(
               err, ERROR_REFUSED,
               "'%s', the folder for the state of the VM's TPM, is not a folder of QEMU's user",
               tpm->folder);
}

bool tpm_check(const struct qemu_copy *vm, struct error *err)
{
    struct qemu_tpm tpm;

    if (!read_tpm(vm, &tpm))
        return !argv_has(vm->params.qemu.words, "tpmdev") ||
               error_set(err, ERROR_REFUSED, "the source does not say how the VM's TPM is started");
    return error_goes_on(err, check_program(vm, &tpm, err)) &&
           error_goes_on(err, check_folder(vm, &tpm, err)) &&
           (!tpm.log || private_directory_permits(tpm.log, vm->uid, S_IFREG, err)) &&
           (!tpm.pidfile || private_directory_permits(tpm.pidfile, vm->uid, S_IFREG, err)) &&
           (is_listed(vm->line.sockets, tpm.socket) ||
            error_set(err, ERROR_REFUSED, "'%s' is not the socket of the VM's TPM", tpm.socket));
}

void tpm_needs(const cJSON *tpms, const struct policy *policy, struct needs *needs)
{
    struct qemu_tpm tpm;
    const cJSON *item;

    fields_each (item, tpms, qemu_tpm_fields, &tpm) {
        AUTO_FREE char *program = line_program_find(tpm.program, false, policy);

        needs_add(needs, NEED_COMMAND, program ? program : tpm.program, 0, "the TPM");
        needs_add(needs, NEED_FILE, tpm.folder, 0, "the TPM");
        needs_add(needs, NEED_FILE, tpm.socket, 0, "the TPM");
        if (tpm.log)
            needs_add(needs, NEED_FILE, tpm.log, 0, "the TPM");
        if (tpm.pidfile)
            needs_add(needs, NEED_FILE, tpm.pidfile, 0, "the TPM");
    }
}

void tpm_plan(const struct qemu_copy *vm, struct plan *plan)
{
    struct qemu_tpm tpm;

    if (read_tpm(vm, &tpm))
        plan_say(plan, "run swtpm for the VM's TPM; it keeps its state in '%s'", tpm.folder);
}

/* ---- its words ---- */

static void add_option(cJSON *words, const char *option, const char *format, const char *value)
{
    AUTO_FREE char *text = NULL;

    if (!value)
        return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    text = formatted(format, value);
#pragma GCC diagnostic pop
    cJSON_AddItemToArray(words, must(cJSON_CreateString(option)));
    cJSON_AddItemToArray(words, must(cJSON_CreateString(text)));
}

static void add_flag(cJSON *words, const char *option, bool on)
{
    if (on)
        cJSON_AddItemToArray(words, must(cJSON_CreateString(option)));
}

cJSON *tpm_words(const struct qemu_copy *vm)
{
    struct qemu_tpm tpm;
    cJSON *words = NULL;
    AUTO_FREE char *program = NULL;
    AUTO_FREE char *log = NULL;

    if (!read_tpm(vm, &tpm))
        return NULL;
    program = line_program_find(tpm.program, false, vm->base.context.policy);
    words = must(cJSON_CreateArray());
    add_flag(words, program ? program : tpm.program, true);
    add_flag(words, "socket", true);
    add_flag(words, "--tpm2", tpm.version_2);
    add_option(words, "--tpmstate", "dir=%s", tpm.folder);
    add_option(words, "--ctrl", "type=unixio,path=%s", tpm.socket);
    add_option(words, "--pid", "file=%s", tpm.pidfile);
    if (tpm.log)
        log = formatted("%s,level=%u", tpm.log, (unsigned)tpm.log_level);
    add_option(words, "--log", "file=%s", log);
    add_option(words, "--flags", "%s", tpm.flags);
    add_option(words, "--locality", "%s", tpm.locality);
    add_option(words, "--seccomp", "%s", tpm.seccomp);
    add_flag(words, "--terminate", true); /* it shall not outlive QEMU, and keep its lock */
    return words;
}

/* ---- start ---- */

static bool note(struct qemu_copy *vm, struct error *err)
{
    return vm->base.context.note(vm->base.context.note_arg, vm->tpm, err);
}

/* A file that swtpm will make is known by its inode when it is there. */
static void expect_file(cJSON *files, const char *path)
{
    cJSON *file;

    if (!path || access(path, F_OK) == 0)
        return;
    file = json_new("path", path);
    cJSON_AddItemToArray(files, file);
}

/* Of those that are there and are not known yet. */
static void look_at_files(struct qemu_copy *vm)
{
    cJSON *file;

    cJSON_ArrayForEach (file, cJSON_GetObjectItem(vm->tpm, "files"))
        if (!json_get(file, "inode"))
            file_identity_add_path(file, json_string_or(file, "path", ""), NULL);
}

static bool note_files(struct qemu_copy *vm, struct error *err)
{
    look_at_files(vm);
    return note(vm, err);
}

/* Before anything is made. The folder is ours alone if it is not there. It is made by a name that
 * nobody else gives, because xmig may die before it knows its inode, and somebody else may make one
 * of the other name.
 */
static bool note_first(struct qemu_copy *vm, const struct qemu_tpm *tpm, struct error *err)
{
    cJSON *files;

    cJSON_Delete(vm->tpm);
    vm->tpm = fact_new(FACT_TPM);
    cJSON_AddStringToObject(vm->tpm, "path", tpm->folder);
    if (access(tpm->folder, F_OK) < 0) {
        AUTO_FREE char *making = formatted("%s.xmig-%s", tpm->folder, vm->base.context.id);

        cJSON_AddStringToObject(vm->tpm, "making", making);
    }
    files = cJSON_AddArrayToObject(vm->tpm, "files");
    expect_file(files, tpm->log);
    expect_file(files, tpm->pidfile);
    return note(vm, err);
}

/* The words are noted with it, because swtpm is known by them until its process is. */
static bool make_folder(struct qemu_copy *vm, const struct qemu_tpm *tpm, struct error *err)
{
    const char *making = json_string_or(vm->tpm, "making", NULL);
    const struct passwd *user = getpwuid(vm->uid);

    if (making && mkdir(making, 0700) < 0) {
        error_set(err, ERROR_SYSTEM, "cannot make the folder '%s': %m", making);
        cJSON_Delete(steal(vm->tpm));
        return false;
    }
    if (making && geteuid() == 0 && lchown(making, vm->uid, user ? user->pw_gid : (gid_t)-1) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot give '%s' its owner: %m", making);
    cJSON_AddItemToObject(vm->tpm, "words", must(tpm_words(vm)));
    return file_identity_add_path(vm->tpm, making ? making : tpm->folder, err) && note(vm, err) &&
           (!making || path_rename(making, tpm->folder, err));
}

static void add_process(struct qemu_copy *vm, pid_t pid)
{
    json_add_uint(vm->tpm, "swtpm_pid", (uint64_t)pid);
    json_add_uint(vm->tpm, "start_time", process_start_time(pid));
}

static bool launch(struct qemu_copy *vm, struct error *err)
{
    AUTO_FREE char *log = formatted("%s/%s", vm->base.context.state_dir, "swtpm.log");
    AUTO_CLOSE int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct launch_words line = { 0 };
    AUTO_JSON cJSON *words = tpm_words(vm);
    const cJSON *word;

    if (fd < 0)
        return error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", log);
    launch_words_begin(vm, "swtpm", &line);
    cJSON_ArrayForEach (word, words)
        launch_words_append(&line, "%s", word->valuestring);
    vm->tpm_child =
        child_start(vm->base.context.loop, (const char *const *)line.words, -1, fd, fd, err);
    launch_words_done(&line);
    if (!vm->tpm_child)
        return false;
    add_process(vm, child_pid(vm->tpm_child));
    return note(vm, err);
}

/* Its pid file comes after the socket. */
static bool is_up(const struct qemu_tpm *tpm)
{
    return unix_socket_is_listened_at(tpm->socket) &&
           (!tpm->pidfile || access(tpm->pidfile, F_OK) == 0);
}

static bool await_socket(struct qemu_copy *vm, const struct qemu_tpm *tpm, struct error *err)
{
    uint64_t deadline = loop_now_ms() + START_MS;
    int status;

    while (!is_up(tpm)) {
        if (child_ended(vm->tpm_child, &status))
            return error_set(err, ERROR_SYSTEM,
                             "swtpm ended at once, with status %d: see '%s/swtpm.log'", status,
                             vm->base.context.state_dir);
        if (loop_now_ms() >= deadline)
            return error_set(err, ERROR_TIMEOUT, "swtpm does not listen at '%s'", tpm->socket);
        if (!loop_pause(vm->base.context.loop, POLL_MS, err))
            return false;
    }
    return true;
}

bool tpm_start(struct qemu_copy *vm, struct error *err)
{
    struct qemu_tpm tpm;
    bool ok;

    if (!read_tpm(vm, &tpm))
        return true;
    if (!note_first(vm, &tpm, err) || !make_folder(vm, &tpm, err) || !launch(vm, err))
        return false;
    ok = await_socket(vm, &tpm, err);
    return note_files(vm, ok ? err : NULL) && ok; /* one that ended has made a log, too */
}

/* ---- undo ---- */

/* Other programs' words may stand before swtpm's: as long as they start it, and where it is a
 * script.
 */
static bool ends_in(const cJSON *line, const cJSON *words)
{
    int before = cJSON_GetArraySize(line) - cJSON_GetArraySize(words);
    const cJSON *there = before < 0 ? NULL : cJSON_GetArrayItem(line, before);
    const cJSON *word;

    cJSON_ArrayForEach (word, words) {
        if (!there || strcmp(there->valuestring, word->valuestring) != 0)
            return false;
        there = there->next;
    }
    return before >= 0;
}

static bool has_words(const cJSON *words, pid_t pid)
{
    size_t size;
    AUTO_FREE char *line = process_file(pid, "cmdline", &size);
    AUTO_JSON cJSON *there = line ? process_words(line, size) : NULL;

    return there && ends_in(there, words);
}

/* The source's swtpm, in another container of this machine, has the same words if the VM has been
 * moved before: its path leads to another folder.
 */
static bool leads_to_folder(const cJSON *fact, pid_t pid)
{
    AUTO_FREE char *there =
        formatted("/proc/%d/root%s", (int)pid, json_string_or(fact, "path", ""));

    return file_identity_has(there, fact);
}

/* The folder's owner is the VM's user. What starts swtpm is ours, until it has become that user. */
static bool has_user(const cJSON *fact, pid_t pid)
{
    uid_t user = process_user(pid);
    struct stat st;

    return lstat(json_string_or(fact, "path", ""), &st) == 0 &&
           (user == st.st_uid || user == geteuid());
}

static bool is_ours(void *fact, pid_t pid)
{
    return has_words(json_get(fact, "words"), pid) && has_user(fact, pid) &&
           leads_to_folder(fact, pid);
}

/* xmig may have died between its start and the note of its process. */
static void find_process(struct qemu_copy *vm)
{
    pid_t pid;

    if (!json_get(vm->tpm, "words") || json_get(vm->tpm, "swtpm_pid") ||
        !file_identity_has(json_string_or(vm->tpm, "path", ""), vm->tpm))
        return;
    pid = process_find(is_ours, vm->tpm);
    if (pid)
        add_process(vm, pid);
}

static void sweep(const cJSON *fact)
{
    const char *folder = json_string_or(fact, "path", "");
    const char *making = json_string_or(fact, "making", NULL);
    const cJSON *file;

    cJSON_ArrayForEach (file, json_get(fact, "files"))
        file_identity_remove(file, NULL);
    if (making)
        rmdir(making); /* it is empty, if it has not got its own name yet */
    if (!file_identity_has(folder, fact))
        return;
    for (size_t i = 0; i < COUNT(state_files); i++) {
        AUTO_FREE char *path = formatted("%s/%s", folder, state_files[i]);

        unlink(path);
    }
    if (making)
        rmdir(folder);
}

bool tpm_stop(struct qemu_copy *vm, struct error *err)
{
    pid_t pid;
    uint64_t start_time;

    find_process(vm);
    pid = (pid_t)json_uint_or(vm->tpm, "swtpm_pid", 0);
    start_time = json_uint_or(vm->tpm, "start_time", 0);
    if (process_lives(pid, start_time))
        look_at_files(vm);
    if (pid && !process_kill(pid, start_time, KILL_MS, err))
        return error_prefix(err, "swtpm");
    child_free(steal(vm->tpm_child));
    if (vm->tpm)
        sweep(vm->tpm);
    return true;
}
