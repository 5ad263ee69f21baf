/* swtpm at the target, by a process that dies at any moment: what it has begun is found and removed
 * by the facts that it has noted. This program itself plays swtpm, and xmig's "launch".
 */
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "host/qemu/copy/copy.h"
#include "tests/unit/helpers.h"
#include "xmig/copy-calls.h"
#include "xmig/hypervisor-calls.h"
#include "xmig/process.h"
#include "xmig/text.h"

/* ---- the programs ---- */

static const char *value_after(char **words, const char *option, const char *start)
{
    while (*words && strcmp(*words, option) != 0)
        words++;
    assert_non_null(*words);
    assert_memory_equal(words[1], start, strlen(start));
    return words[1] + strlen(start);
}

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static int play_swtpm(char **words)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    const char *folder = value_after(words, "--tpmstate", "dir=");
    AUTO_FREE char *state = formatted("%s/%s", folder, "tpm2-00.permall");
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getenv("TEST_IS_A_STRANGER"))
        pause();
    snprintf(at.sun_path, sizeof(at.sun_path), "%s",
             value_after(words, "--ctrl", "type=unixio,path="));
    write_file(value_after(words, "--log", "file="));
    write_file(state);
    if (bind(sock, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(sock, 1) < 0)
        return 1;
    write_file(value_after(words, "--pid", "file="));
    for (;;)
        pause();
}

static int play_launch(char **words)
{
    while (*words && strcmp(*words, "--") != 0)
        words++;
    return *words ? execv(words[1], words + 1) : 1;
}

/* ---- the scene ---- */

struct scene {
    struct loop *loop;
    struct vm_context context;
    char *folder; /* the target's file system */
    char *path;   /* $PATH before */
    cJSON *noted;
    int to_live; /* notes that become durable; the next one does not, for the process dies */
};

static bool note(void *arg, const cJSON *fact, struct error *err)
{
    struct scene *scene = arg;

    if (scene->to_live == 0)
        return error_set(err, ERROR_CRASH, "dead");
    scene->to_live--;
    cJSON_AddItemToArray(scene->noted, must(cJSON_Duplicate(fact, true)));
    return true;
}

static void set_up(struct scene *scene, int to_live)
{
    AUTO_FREE char *bin = NULL, *swtpm = NULL, *self = must(realpath("/proc/self/exe", NULL));

    *scene = (struct scene){ .loop = loop_new(),
                             .folder = make_directory(),
                             .path = must(strdup(getenv("PATH"))),
                             .noted = must(cJSON_CreateArray()),
                             .to_live = to_live };
    bin = formatted("%s/%s", scene->folder, "bin");
    swtpm = formatted("%s/%s", bin, "swtpm");
    assert_int_equal(mkdir(bin, 0755), 0);
    assert_int_equal(symlink(self, swtpm), 0);
    setenv("PATH", bin, true);
    scene->context = (struct vm_context){ .loop = scene->loop,
                                          .id = "0123456789abcdef",
                                          .state_dir = scene->folder,
                                          .runtime_dir = scene->folder,
                                          .note = note,
                                          .note_arg = scene };
}

static void tear_down(struct scene *scene)
{
    setenv("PATH", scene->path, true);
    free(scene->path);
    cJSON_Delete(scene->noted);
    remove_all(scene->folder);
    loop_free(scene->loop);
}

static char *path_in(const struct scene *scene, const char *name)
{
    return formatted("%s/%s", scene->folder, name);
}

static bool is_there(const struct scene *scene, const char *name)
{
    AUTO_FREE char *path = path_in(scene, name);

    return access(path, F_OK) == 0;
}

/* Start swtpm, by a process that dies when its notes are used up. True: it lived on. */
static bool start(struct scene *scene)
{
    AUTO_FREE char *folder = path_in(scene, "tpm"), *socket = path_in(scene, "sock"),
                   *log = path_in(scene, "log"), *pidfile = path_in(scene, "pid");
    const struct qemu_tpm tpm = { .program = "swtpm",
                                  .version_2 = true,
                                  .folder = folder,
                                  .socket = socket,
                                  .log = log,
                                  .pidfile = pidfile };
    AUTO_JSON cJSON *tpms = must(cJSON_CreateArray());
    struct copy *copy = hypervisor_copy(&qemu_hypervisor, &scene->context, NULL);
    struct qemu_copy *vm = qemu_copy_of(copy);
    struct error err = { 0 };
    bool ok;

    cJSON_AddItemToArray(tpms, fields_new(qemu_tpm_fields, &tpm));
    vm->uid = geteuid();
    vm->as_self = true;
    vm->line.bridges = must(cJSON_CreateArray());
    vm->params.qemu.tpms = tpms;
    ok = tpm_start(vm, &err);
    assert_ok(ok || err.kind == ERROR_CRASH, &err);
    vm->params.qemu.tpms = NULL;
    copy_free(copy);
    return ok;
}

static bool has_our_folder(void *arg, pid_t pid)
{
    size_t size;
    AUTO_FREE char *line = process_file(pid, "cmdline", &size);

    return line && pid != getpid() && memmem(line, size, arg, strlen(arg));
}

/* As `xmig recover` does. */
static void clean_up(struct scene *scene)
{
    struct copy *copy = hypervisor_copy(&qemu_hypervisor, &scene->context, NULL);
    struct error err = { 0 };

    scene->to_live = INT_MAX;
    assert_ok(qemu_copy_reattach(qemu_copy_of(copy), scene->noted, &err), &err);
    assert_ok(qemu_copy_destroy(copy, &err), &err);
    copy_free(copy);
}

/* ---- what must hold ---- */

static void nothing_is_left_whichever_note_the_process_dies_before(void **unused)
{
    bool lived = false;
    (void)unused;

    for (int notes = 0; !lived; notes++) {
        struct scene scene;

        set_up(&scene, notes);
        lived = start(&scene);
        assert_true(notes < 10);
        clean_up(&scene);
        if (process_find(has_our_folder, scene.folder))
            fail_msg("swtpm runs after %d notes", notes);
        assert_false(is_there(&scene, "tpm"));
        assert_false(is_there(&scene, "tpm.xmig-0123456789abcdef"));
        assert_false(is_there(&scene, "log"));
        assert_false(is_there(&scene, "pid"));
        tear_down(&scene);
    }
}

static void a_folder_that_was_there_stays(void **unused)
{
    struct scene scene;
    AUTO_FREE char *folder = NULL;
    (void)unused;

    set_up(&scene, INT_MAX);
    folder = path_in(&scene, "tpm");
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_true(start(&scene));
    clean_up(&scene);
    assert_true(is_there(&scene, "tpm"));
    assert_false(is_there(&scene, "tpm/tpm2-00.permall"));
    tear_down(&scene);
}

/* The words that are noted, by which swtpm is found if its process is not known. */
static cJSON *forget_process(const struct scene *scene)
{
    cJSON *words = NULL;
    cJSON *fact;

    cJSON_ArrayForEach (fact, scene->noted) {
        cJSON_DeleteItemFromObject(fact, "swtpm_pid");
        cJSON_DeleteItemFromObject(fact, "start_time");
        words = json_get(fact, "words") ? cJSON_GetObjectItem(fact, "words") : words;
    }
    assert_non_null(words);
    return words;
}

/* A person has started the VM meanwhile, with a TPM in the same folder. */
static void a_swtpm_that_others_have_started_is_left_alone(void **unused)
{
    struct scene scene;
    (void)unused;

    set_up(&scene, INT_MAX);
    assert_true(start(&scene));
    cJSON_ReplaceItemInArray(forget_process(&scene), 2, must(cJSON_CreateString("--tpm1")));
    clean_up(&scene);
    assert_int_not_equal(process_find(has_our_folder, scene.folder), 0);
    kill(process_find(has_our_folder, scene.folder), SIGKILL);
    tear_down(&scene);
}

/* Another process with swtpm's words, made a stranger by `become`. */
static pid_t start_stranger(const struct scene *scene, bool (*become)(const struct scene *scene))
{
    const cJSON *words = forget_process(scene), *word;
    char *argv[32] = { 0 };
    size_t count = 0;
    pid_t pid = fork();

    if (pid > 0)
        return pid;
    cJSON_ArrayForEach (word, words)
        argv[count++] = word->valuestring;
    setenv("TEST_IS_A_STRANGER", "1", 1);
    if (become(scene))
        execv("/proc/self/exe", argv);
    _exit(1);
}

static bool runs_elsewhere(const struct scene *scene)
{
    AUTO_FREE char *folder = path_in(scene, "tpm");

    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", folder, "tmpfs", 0, NULL) == 0;
}

static bool runs_as_another(const struct scene *scene)
{
    (void)scene;
    return setuid(65534) == 0;
}

/* The source's, in another container of this machine, has the same words. */
static void lets_live(bool (*become)(const struct scene *scene))
{
    struct scene scene;
    pid_t ours, stranger;
    int status;

    if (geteuid() != 0)
        skip();
    set_up(&scene, INT_MAX);
    assert_true(start(&scene));
    ours = process_find(has_our_folder, scene.folder);
    assert_true(process_kill(ours, process_start_time(ours), 10000, NULL));
    stranger = start_stranger(&scene, become);
    while (!has_our_folder(scene.folder, stranger))
        if (waitpid(stranger, &status, WNOHANG) == stranger) {
            print_message("nobody can become a stranger here\n");
            skip();
        }
    clean_up(&scene);
    assert_int_equal(waitpid(stranger, &status, WNOHANG), 0);
    kill(stranger, SIGKILL);
    waitpid(stranger, &status, 0);
    assert_false(is_there(&scene, "tpm"));
    tear_down(&scene);
}

static void a_swtpm_with_the_same_words_in_another_mount_namespace_lives(void **unused)
{
    (void)unused;
    lets_live(runs_elsewhere);
}

static void a_swtpm_with_the_same_words_of_another_user_lives(void **unused)
{
    (void)unused;
    lets_live(runs_as_another);
}

/* xmig dies before it knows the folder that it has made, and somebody else makes one of its name.
 */
static void a_folder_that_others_make_meanwhile_stays(void **unused)
{
    (void)unused;

    for (int notes = 0; notes < 2; notes++) {
        struct scene scene;
        AUTO_FREE char *folder = NULL;

        set_up(&scene, notes);
        folder = path_in(&scene, "tpm");
        assert_false(start(&scene));
        (void)rmdir(folder); /* ours, if it is there */
        assert_int_equal(mkdir(folder, 0700), 0);
        clean_up(&scene);
        assert_true(is_there(&scene, "tpm"));
        assert_int_equal(rmdir(folder), 0);
        tear_down(&scene);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_whichever_note_the_process_dies_before),
        cmocka_unit_test(a_folder_that_was_there_stays),
        cmocka_unit_test(a_folder_that_others_make_meanwhile_stays),
        cmocka_unit_test(a_swtpm_with_the_same_words_in_another_mount_namespace_lives),
        cmocka_unit_test(a_swtpm_with_the_same_words_of_another_user_lives),
        cmocka_unit_test(a_swtpm_that_others_have_started_is_left_alone),
    };

    if (argc > 1 && !strcmp(argv[1], "launch"))
        return play_launch(argv);
    if (argc > 1 && !strcmp(argv[1], "socket"))
        return play_swtpm(argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
