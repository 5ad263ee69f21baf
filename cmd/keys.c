/* xmig keys: a key of this host's own, and the keys of others that it trusts. */
#include "command.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "option-syntax.h"
#include "directories.h"
#include "report.h"
#include "wrap.h"
#include "transport/tls/keys.h"
#include "transport/tls/trusted-keys.h"
#include "xmig/cleanup.h"
#include "xmig/directory.h"

static const char help_text[] =
    "usage: xmig keys init [--json]\n"
    "       xmig keys show [--json]\n"
    "       xmig keys trust FINGERPRINT [NAME]\n"
    "\n"
    "Over TLS two hosts that have no certificates of an authority's know each other by their\n"
    "keys. 'init' makes this host's, once. 'show' prints its fingerprint, and whom this host\n"
    "trusts. 'trust' lets the host with that fingerprint move VMs here, and this host move\n"
    "VMs there; NAME is what it is called: the HOST of tls://HOST:PORT, if it is to be\n"
    "reached by that name only, and in the policy of this host.\n"
    "\n"
    "The keys are in $XMIG_CONFIG_DIR/keys: /etc/xmig/keys for root.\n"
    "\n"
    "      --json  for programs, on standard output: see xmig-json(5)\n"
    "  -h, --help  this text\n";

struct showing {
    struct keys keys;
    struct report *report;
    bool help, json;
};

static void show_trusted(const struct trusted *trusted, cJSON *list, bool json)
{
    for (size_t i = 0; i < trusted->count; i++) {
        const char *name = trusted->keys[i].name;
        cJSON *item = must(cJSON_CreateObject());
        char text[FINGERPRINT_TEXT];

        fingerprint_print(&trusted->keys[i].fingerprint, text);
        cJSON_AddStringToObject(item, "fingerprint", text);
        if (*name)
            cJSON_AddStringToObject(item, "name", name);
        cJSON_AddItemToArray(list, item);
        if (!json)
            printf("trusted    %s%s%s\n", text, *name ? " " : "", name);
    }
}

static bool show(const struct showing *showing, struct error *err)
{
    const struct keys *keys = &showing->keys;
    struct fingerprint own;
    struct trusted trusted;
    char text[FINGERPRINT_TEXT];
    cJSON *body;

    if (!keys_check(keys, err) || !fingerprint_of_file(keys->certificate, &own, err) ||
        !trusted_read(&trusted, keys->trusted, err))
        return false;
    fingerprint_print(&own, text);
    if (!showing->json)
        printf("this host  %s\n", text);
    body = json_new("fingerprint", text);
    cJSON_AddStringToObject(body, "directory", keys->directory);
    show_trusted(&trusted, cJSON_AddArrayToObject(body, "trusted"), showing->json);
    report_json(showing->report, "keys", body);
    trusted_done(&trusted);
    return true;
}

/* What to do with it stands below it, ready to be copied. */
static bool init(const struct showing *showing, struct error *err)
{
    char host[HOST_NAME_MAX + 1] = "";
    struct fingerprint own;
    char text[FINGERPRINT_TEXT];
    bool made;

    if (!keys_make(&showing->keys, &made, err) || !show(showing, err))
        return false;
    if (showing->json || !fingerprint_of_file(showing->keys.certificate, &own, err))
        return showing->json;
    (void)gethostname(host, sizeof(host) - 1);
    fingerprint_print(&own, text);
    printf("%s in '%s'. On the other host:\n    xmig keys trust %s %s\n",
           made ? "A new key is" : "The key was there already,", showing->keys.directory, text,
           host);
    return true;
}

static bool trust(const struct keys *keys, const char *fingerprint, const char *name,
                  struct error *err)
{
    struct trusted_key key = { 0 };

    if (!fingerprint_parse(fingerprint, &key.fingerprint, err))
        return false;
    if (name && !trusted_name_is_fit(name))
        return error_set(err, ERROR_REFUSED,
                         "the name '%s' has something else than letters, digits and .-_@:", name);
    if (name)
        snprintf(key.name, sizeof(key.name), "%s", name);
    if (!directory_make_all(keys->directory, err) || !trusted_add(keys->trusted, &key, err))
        return false;
    wrap_say(stdout, WRAP_INDENT,
             "'xmig policy check --as %s' says what may come from there; see xmig-recv.conf(5)",
             name ? name : "default");
    return true;
}

static bool run(const struct showing *showing, char *const words[], int count, struct error *err)
{
    if (!strcmp(words[0], "init"))
        return init(showing, err);
    if (!strcmp(words[0], "show"))
        return show(showing, err);
    return trust(&showing->keys, words[1], count > 2 ? words[2] : NULL, err);
}

/* `init`, `show`, or `trust` with one word more, or two. */
static bool make_sense(char *const words[], int count)
{
    if (count < 1)
        return false;
    if (!strcmp(words[0], "trust"))
        return count == 2 || count == 3;
    return count == 1 && (!strcmp(words[0], "init") || !strcmp(words[0], "show"));
}

static int end(struct showing *showing, char *const words[], int count)
{
    struct output_options output = { .json = showing->json, .quiet = true };
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    struct error err = { 0 };
    int status;

    showing->report = report_new("xmig keys", &output, stdout, stderr);
    directories_find_keys(&showing->keys);
    if (!run(showing, words, count, &err)) {
        ending_of_failure(&ending,
                          err.kind == ERROR_REFUSED ? OUTCOME_REFUSED : OUTCOME_LOCAL_ERROR, &err);
        ending.no_vm = true;
    }
    status = report_end(showing->report, &ending);
    report_free(showing->report);
    keys_done(&showing->keys);
    return status;
}

#define OPTIONS_OF struct showing
int command_keys(int argc, char *argv[])
{
    static const struct option_row rows[] = {
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };
    struct showing showing = { 0 };
    struct error err = { 0 };

    if (!take_all(rows, &showing, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (showing.help)
        return print_help(help_text);
    if (make_sense(argv + optind, argc - optind))
        return end(&showing, argv + optind, argc - optind);
    error_set(&err, ERROR_REFUSED, "'init', 'show', or 'trust FINGERPRINT [NAME]' is missing");
    return end_with_usage(argc, argv, &err);
}
