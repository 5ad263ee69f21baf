/* Ways to the peer: what a destination means, and how ssh is asked. The ssh here is a script
 * that writes down its words; tests/e2e/test-ssh-transport.c has the real one.
 */
#include "tests/unit/helpers.h"
#include "transport/internal.h"
#include "transport/lanes/rate.h"
#include "transport/ssh-config.h"
#include "transport/ssh.h"

#include <signal.h>
#include <sys/stat.h>

enum {
    SOON_MS = 10 * 1000
};

/* ---- destinations ---- */

static void understands_the_forms_of_a_destination(void **unused)
{
    const struct {
        const char *text, *host, *port;
    } cases[] = {
        { "host", "host", NULL },
        { "user@host", "user@host", NULL },
        { "user@host.example:2222", "user@host.example", "2222" },
        { "host/", "host", NULL },
        { "host:22/", "host", "22" },
        { "DOMAIN\\user@host", "DOMAIN\\user@host", NULL },
        { "user@realm@host", "user@realm@host", NULL },
        { "192.0.2.1", "192.0.2.1", NULL },
        { "2001:db8::1", "2001:db8::1", NULL },
        { "[2001:db8::1]", "2001:db8::1", NULL },
        { "user@[2001:db8::1]:2222", "user@2001:db8::1", "2222" },
        { "[fe80::1%eth0]:22", "fe80::1%eth0", "22" },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ssh_dest dest;
        struct error err = { 0 };

        if (!ssh_parse_dest(cases[i].text, &dest, &err))
            fail_msg("'%s': %s", cases[i].text, err.text);
        assert_string_equal(dest.host, cases[i].host);
        assert_int_equal(!dest.port, !cases[i].port);
        if (dest.port)
            assert_string_equal(dest.port, cases[i].port);
        ssh_dest_done(&dest);
    }
}

static const char *const no_destinations[] = {
    "",
    "-oProxyCommand=x",
    "user@-host",
    "-user@host",
    "@host",
    "user@",
    "ho st",
    "host\n",
    "us er@host",
    "host\x01",
    "host\x7f",
    "host:",
    "host:0",
    "host:65536",
    "host:22x",
    "host:/path",
    "host:+22",
    "host: 22",
    "a:b:c",
    "[2001:db8::1",
    "[host]",
    "[::1]x",
    "[::1]:",
    "[::1]:no",
    "[-x]",
    "host/path",
    "$(id)",
    "host;id",
    "`id`@host",
    "a|b",
    "host'quot",
    "a\"b",
    "host\\name",
    "<host",
    "host&",
    "u\"@host",
    "[]",
    ":22",
    "user@[::1%;]",
};

static void refuses_what_is_no_destination(void **unused)
{
    (void)unused;

    for (size_t i = 0; i < sizeof(no_destinations) / sizeof(no_destinations[0]); i++) {
        struct ssh_dest dest;
        struct error err = { 0 };

        if (ssh_parse_dest(no_destinations[i], &dest, &err))
            fail_msg("'%s' was accepted as '%s'", no_destinations[i], dest.host);
        assert_int_equal(err.kind, ERROR_REFUSED);
        assert_true(strlen(err.text) > 0);
    }
}

static void finds_the_way_by_its_scheme(void **unused)
{
    const struct {
        const char *dest, *scheme, *rest;
    } cases[] = {
        { "host", "ssh", "host" },     { "ssh://user@host:22", "ssh", "user@host:22" },
        { "ssh:host", "ssh", "host" }, { "local:", "local", "" },
        { "local://", "local", "" },   { "local", "ssh", "local" },
    };
    const struct transport_options options = { .runtime_dir = "/tmp" };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        struct transport *transport = transport_new(NULL, cases[i].dest, &options, &err);

        assert_string_equal(err.text, "");
        assert_string_equal(transport->ops->scheme, cases[i].scheme);
        assert_string_equal(transport->rest, cases[i].rest);
        transport_free(transport);
    }
}

static void the_lower_limit_counts_the_targets_or_ones_own(void **unused)
{
    static const struct {
        uint64_t own, targets, counts;
    } cases[] = { { 0, 0, 0 }, { 7, 0, 7 }, { 0, 5, 5 }, { 7, 5, 5 }, { 7, 9, 7 } };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct transport_options options = { .bandwidth = cases[i].own };
        struct transport *transport = transport_new(NULL, "host", &options, NULL);

        transport_allow(transport, cases[i].targets);
        assert_int_equal(transport_limited_to(transport), cases[i].counts);
        transport_limit(transport, 0); /* a later limit cannot raise the target's */
        assert_int_equal(transport_limited_to(transport), cases[i].targets);
        transport_free(transport);
    }
}

/* For the pause only the sender's own limit is lifted, and `xmig limit` brings it back for nobody.
 */
static void the_targets_limit_holds_for_the_last_ram_too(void **unused)
{
    (void)unused;

    for (uint64_t targets = 0; targets <= 5; targets += 5) {
        const struct transport_options options = { .bandwidth = 3 };
        struct transport *transport = transport_new(NULL, "host", &options, NULL);
        struct turn turn;

        transport_allow(transport, targets);
        transport_lift_limit(transport);
        transport_limit(transport, 1);
        (void)rate_take(transport->rate, 5);
        turn = rate_take(transport->rate, 5);
        assert_int_equal(rate_wait_ms(transport->rate, &turn) > 0, targets > 0);
        if (targets)
            assert_int_equal(transport_limited_to(transport), targets);
        transport_free(transport);
    }
}

static void names_the_destination_that_it_refuses(void **unused)
{
    const struct transport_options options = { .runtime_dir = "/tmp" };
    struct error err = { 0 };
    (void)unused;

    assert_null(transport_new(NULL, "pigeon://host", &options, &err));
    assert_string_equal(err.text, "destination 'pigeon://host': no way 'pigeon' to reach a peer "
                                  "is known");
    assert_null(transport_new(NULL, "local:host", &options, &err));
    assert_null(transport_new(NULL, "ssh://", &options, &err));
    assert_string_equal(err.text, "destination 'ssh://': the host is empty");
}

/* ---- words ---- */

static void quotes_words_for_the_peers_shell(void **unused)
{
    const char *const words[] = {
        "lane", "0123ab", "disk/vda", "", "a b", "it's", "$HOME;*", NULL
    };
    AUTO_FREE char *plain = remote_command(NULL, words);
    AUTO_FREE char *with_path = remote_command("XMIG_STATE_DIR=/x /opt/xmig", words + 6);
    (void)unused;

    assert_string_equal(plain, "xmig lane 0123ab disk/vda '' 'a b' 'it'\\''s' '$HOME;*'");
    assert_string_equal(with_path, "XMIG_STATE_DIR=/x /opt/xmig '$HOME;*'");
}

/* ---- ciphers ---- */

#define DEFAULTS                                                                                   \
    "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@"       \
    "openssh.com"
#define CONFIG(ciphers) "user me\nhostkeyalgorithms x\nciphers " ciphers "\nmacs y\n"

static void asks_for_the_fast_ciphers_first_and_keeps_the_others(void **unused)
{
    AUTO_FREE char *list = ssh_choose_ciphers(CONFIG(DEFAULTS), CONFIG(DEFAULTS), true);
    (void)unused;

    assert_string_equal(list, "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
                              "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr");
}

static void never_asks_for_a_cipher_that_this_ssh_does_not_have(void **unused)
{
    AUTO_FREE char *list = ssh_choose_ciphers(CONFIG("aes128-ctr,aes256-gcm@openssh.com"),
                                              CONFIG("aes128-ctr,aes256-gcm@openssh.com"), true);
    (void)unused;

    assert_string_equal(list, "aes256-gcm@openssh.com,aes128-ctr");
}

static void leaves_the_choice_to_others_who_know_better(void **unused)
{
    (void)unused;

    /* the user */
    assert_null(ssh_choose_ciphers(CONFIG("aes256-ctr"), CONFIG(DEFAULTS), true));
    /* ssh, on a slow processor */
    assert_null(ssh_choose_ciphers(CONFIG(DEFAULTS), CONFIG(DEFAULTS), false));
    /* an ssh that does not tell */
    assert_null(ssh_choose_ciphers("", CONFIG(DEFAULTS), true));
    assert_null(ssh_choose_ciphers(CONFIG(DEFAULTS), "macs y\n", true));
}

/* ---- starting the peer's xmig ---- */

/* A directory with a program in it that plays ssh, and a transport that uses it. */
struct scene {
    struct loop *loop;
    char *dir;
    char *rsh;
    struct transport_options options;
    struct transport *transport;
};

static void write_program(const char *dir, const char *name, const char *text)
{
    AUTO_FREE char *path = NULL;
    FILE *file;

    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\ncd '%s'\necho \"$@\" >>calls\n%s\n", dir, text);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
}

/* What the fake ssh was called with so far: one line a call. The caller frees it. */
static char *calls(const struct scene *scene)
{
    AUTO_FREE char *path = NULL;
    char *text = must(calloc(1, 65536));
    FILE *file;

    assert_true(asprintf(&path, "%s/calls", scene->dir) > 0);
    file = fopen(path, "re");
    if (file) {
        assert_true(fread(text, 1, 65535, file) < 65535);
        fclose(file);
    }
    return text;
}

static struct scene new_scene(const char *dest, const char *remote_path)
{
    struct scene scene = { .loop = loop_new(), .dir = make_directory() };
    struct error err = { 0 };

    scene.options = (struct transport_options){ .remote_path = remote_path };
    scene.options.runtime_dir = scene.dir;
    scene.transport = transport_new(scene.loop, dest, &scene.options, &err);
    assert_string_equal(err.text, "");
    return scene;
}

/* `dest` by way of the program `name` with the words `more`; `text` is what it does. */
static struct scene with_rsh(const char *dest, const char *name, const char *more, const char *text)
{
    struct scene scene = new_scene(dest, "true");

    assert_true(asprintf(&scene.rsh, "%s/%s%s", scene.dir, name, more) > 0);
    scene.transport->options.rsh = scene.rsh;
    write_program(scene.dir, name, text);
    return scene;
}

static void end(struct scene *scene)
{
    transport_free(scene->transport);
    loop_free(scene->loop);
    remove_all(scene->dir);
    free(scene->rsh);
}

/* The control connection is opened and its link has ended: what is told about it? */
static struct error explained(struct scene *scene)
{
    struct error err = { 0 };
    struct link *link = transport_control(scene->transport, false, &err);

    assert_non_null(link);
    error_set(&err, ERROR_LOST, "the connection was closed");
    transport_explain(scene->transport, link, &err);
    link_free(link);
    return err;
}

static void starts_this_very_program_for_a_local_move(void **unused)
{
    struct scene scene = new_scene("local:", NULL);
    struct error err = { 0 };
    struct link *link;
    char answer[5] = { 0 };
    (void)unused;

    assert_true(transport_open(scene.transport, &err));
    link = transport_control(scene.transport, false, &err);
    assert_non_null(link);
    assert_int_equal(write(link->fd, "hello", 5), 5);
    assert_int_equal(read(link->fd, answer, sizeof(answer)), 5);
    assert_memory_equal(answer, "HELLO", 5);
    link_free(link);
    end(&scene);
}

static void starts_what_remote_path_says_for_a_local_move(void **unused)
{
    struct scene scene = new_scene("local:", "MODE=7 sh -c 'echo $MODE $1' sh");
    struct error err = { 0 };
    struct link *link = transport_control(scene.transport, false, &err);
    char said[16] = { 0 };
    (void)unused;

    assert_non_null(link);
    assert_int_equal(read(link->fd, said, sizeof(said) - 1), 7);
    assert_string_equal(said, "7 recv\n");
    link_free(link);
    end(&scene);
}

static void explains_why_nothing_came_from_the_peer(void **unused)
{
    const struct {
        const char *remote_path, *text;
    } cases[] = {
        { "/nowhere/xmig",
          "xmig is not installed on this machine, or not in its PATH ('/bin/sh: 1: "
          "/nowhere/xmig: not found'): install it there, or give --remote-path" },
        { "/dev/null", "xmig on this machine cannot run there ('/bin/sh: 1: /dev/null: Permission "
                       "denied'): install what it lacks, or an xmig that was built for that "
                       "system, or give --remote-path" },
        { "echo >&2 'xmig: error while loading shared libraries: libuv.so.1: cannot open'; exit "
          "127;",
          "xmig on this machine cannot run there ('xmig: error while loading shared libraries: "
          "libuv.so.1: cannot open'): install what it lacks, or an xmig that was built for that "
          "system, or give --remote-path" },
        { "echo >&2 \"x: libc.so.6: version 'GLIBC_9' not found (required by x)\"; exit 1;",
          "xmig on this machine cannot run there ('x: libc.so.6: version 'GLIBC_9' not found "
          "(required by x)'): install what it lacks, or an xmig that was built for that system, "
          "or give --remote-path" },
        { "echo >&2 broken; exit 3;", "xmig recv on this machine ended with status 3 before its "
                                      "first word ('broken')" },
        { "exit 3;", "xmig recv on this machine ended with status 3 before its first word" },
    };
    (void)unused;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene scene = new_scene("local:", cases[i].remote_path);
        struct error err = explained(&scene);

        assert_string_equal(err.text, cases[i].text);
        end(&scene);
    }
}

/* The loss of the connection interrupts the loop, often before the child has been reaped. */
static void explains_it_under_an_interruption(void **unused)
{
    struct scene scene = new_scene("local:", "exec 0<&- 1>&-; sleep 0.05; exit 127;");
    struct error lost = { .kind = ERROR_LOST, .text = "the connection was closed" };
    struct error err;
    (void)unused;

    loop_interrupt(scene.loop, &lost);
    err = explained(&scene);
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_true(loop_interrupted(scene.loop));
    end(&scene);
}

/* Plays all of ssh that is asked of it; the last word but one is the host. */
#define GOOD_SSH                                                                                   \
    "case \" $* \" in\n"                                                                           \
    "*' -G '*) echo 'ciphers " DEFAULTS "' ;;\n"                                                   \
    "*' -N -f '*|*' -O '*) ;;\n"                                                                   \
    "*) while [ \"$1\" != -- ]; do shift; done; sh -c \"$3\" ;;\n"                                 \
    "esac"

static const char *nth_line(char *text, size_t n)
{
    char *line = strtok(text, "\n");

    for (size_t i = 0; line && i < n; i++)
        line = strtok(NULL, "\n");
    return line ? line : "";
}

static void asserts_order(const char *line, const char *const parts[])
{
    const char *at = line;

    for (size_t i = 0; parts[i]; i++) {
        const char *found = strstr(at, parts[i]);

        if (!found)
            fail_msg("no '%s' where it should be in '%s'", parts[i], line);
        at = found + strlen(parts[i]);
    }
}

static void authenticates_once_and_then_joins_that_connection(void **unused)
{
    struct scene scene = with_rsh("ssh://me@far:2222", "ssh", " -i key", GOOD_SSH);
    AUTO_FREE char *called = NULL;
    AUTO_FREE char *again = NULL;
    struct error err = { 0 };
    struct link *link;
    size_t asked = 2; /* for the ciphers; not where the processor has no AES */
    (void)unused;

    assert_true(transport_open(scene.transport, &err));
    link = transport_control(scene.transport, false, &err);
    assert_non_null(link);
    assert_true(link_wait(link, SOON_MS, &err));
    assert_int_equal(link->status, 0);
    called = calls(&scene);
    if (!strstr(called, "-G"))
        asked = 0;
    again = must(strdup(called));
    asserts_order(nth_line(called, asked),
                  (const char *const[]){ "-o ControlMaster=yes", "-i key", "-T", "-p 2222", "-S ",
                                         scene.dir, " -N -f -- me@far", NULL });
    asserts_order(nth_line(again, asked + 1),
                  (const char *const[]){ "-o ControlMaster=no", "-i key", "-T", "-p 2222", "-S ",
                                         scene.dir, " -- me@far true recv", NULL });
    link_free(link);
    end(&scene);
}

static void never_overrides_what_the_user_has_configured(void **unused)
{
    struct scene scene = with_rsh("far", "ssh", "", GOOD_SSH);
    AUTO_FREE char *called = NULL;
    struct error err = { 0 };
    (void)unused;

    assert_true(transport_open(scene.transport, &err));
    called = calls(&scene);
    assert_null(strstr(called, "BatchMode"));
    assert_null(strstr(called, "HostKey"));
    assert_null(strstr(called, "KnownHosts"));
    assert_null(strstr(called, "Compression"));
    end(&scene);
}

static void runs_another_program_plainly(void **unused)
{
    struct scene scene = with_rsh("me@far", "rsh", " -v", "exec sh -c \"$3\"");
    AUTO_FREE char *called = NULL;
    struct error err = { 0 };
    (void)unused;

    assert_true(transport_open(scene.transport, &err));
    err = explained(&scene);
    assert_string_equal(err.text, "xmig recv on me@far ended with status 0 before its first word");
    called = calls(&scene);
    assert_string_equal(called, "-v me@far true recv\n");
    end(&scene);
}

static void cannot_tell_another_program_a_port(void **unused)
{
    struct scene scene = with_rsh("far:22", "rsh", "", "");
    struct error err = { 0 };
    (void)unused;

    assert_false(transport_open(scene.transport, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    end(&scene);
}

static void says_which_host_could_not_be_reached(void **unused)
{
    struct scene scene = with_rsh("far", "ssh", "", "exit 255");
    struct error err = { 0 };
    (void)unused;

    assert_false(transport_open(scene.transport, &err));
    assert_string_equal(err.text,
                        "ssh could not connect to far (status 255); it says why by itself, and "
                        "that login has to work first");
    err = explained(&scene);
    assert_string_equal(err.text, "ssh could not connect to far");
    end(&scene);
}

static void takes_an_interrupted_ssh_for_what_it_is(void **unused)
{
    struct scene scene = with_rsh("far", "ssh", "", "kill -INT $$; sleep 1");
    struct error err = { 0 };
    (void)unused;

    assert_false(transport_open(scene.transport, &err));
    assert_int_equal(err.kind, ERROR_CANCELLED);
    end(&scene);
}

static void refuses_a_directory_that_is_too_deep_for_the_control_socket(void **unused)
{
    struct scene scene = with_rsh("far", "ssh", "", GOOD_SSH);
    struct error err = { 0 };
    char deep[100];
    (void)unused;

    memset(deep, 'd', sizeof(deep) - 1);
    deep[0] = '/';
    deep[sizeof(deep) - 1] = '\0';
    scene.transport->options.runtime_dir = deep;
    assert_false(transport_open(scene.transport, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    assert_says(err.text, "shorter runtime directory");
    end(&scene);
}

/* This program as it is started by `local:`. */
static int answer_in_capitals(void)
{
    char text[5];

    if (read(STDIN_FILENO, text, sizeof(text)) != sizeof(text))
        return 1;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(text[i] - 'a' + 'A');
    return write(STDOUT_FILENO, text, sizeof(text)) != sizeof(text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(understands_the_forms_of_a_destination),
        cmocka_unit_test(refuses_what_is_no_destination),
        cmocka_unit_test(finds_the_way_by_its_scheme),
        cmocka_unit_test(the_lower_limit_counts_the_targets_or_ones_own),
        cmocka_unit_test(the_targets_limit_holds_for_the_last_ram_too),
        cmocka_unit_test(names_the_destination_that_it_refuses),
        cmocka_unit_test(quotes_words_for_the_peers_shell),
        cmocka_unit_test(asks_for_the_fast_ciphers_first_and_keeps_the_others),
        cmocka_unit_test(never_asks_for_a_cipher_that_this_ssh_does_not_have),
        cmocka_unit_test(leaves_the_choice_to_others_who_know_better),
        cmocka_unit_test(starts_this_very_program_for_a_local_move),
        cmocka_unit_test(starts_what_remote_path_says_for_a_local_move),
        cmocka_unit_test(explains_why_nothing_came_from_the_peer),
        cmocka_unit_test(explains_it_under_an_interruption),
        cmocka_unit_test(authenticates_once_and_then_joins_that_connection),
        cmocka_unit_test(never_overrides_what_the_user_has_configured),
        cmocka_unit_test(runs_another_program_plainly),
        cmocka_unit_test(cannot_tell_another_program_a_port),
        cmocka_unit_test(says_which_host_could_not_be_reached),
        cmocka_unit_test(takes_an_interrupted_ssh_for_what_it_is),
        cmocka_unit_test(refuses_a_directory_that_is_too_deep_for_the_control_socket),
    };

    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && !strcmp(argv[1], "recv"))
        return answer_in_capitals();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
