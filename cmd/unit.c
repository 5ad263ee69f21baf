/* xmig unit: what starts a VM at boot that was moved to this host. */
#include "command.h"

#include <fcntl.h>
#include <stdio.h>

#include "find-id.h"
#include "options.h"
#include "directories.h"
#include "printable.h"
#include "wrap.h"
#include "host/system/program.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static const char help_text[] =
    "usage: xmig unit [--line] ID|VM\n"
    "\n"
    "Prints a systemd unit that starts a VM of QEMU, which was moved to this host, when the host\n"
    "boots. Until then the VM runs in a scope, or a session, of its own, which a reboot ends.\n"
    "\n"
    "      --line  only the command line, for a shell\n"
    "  -h, --help  this text\n";

enum {
    START_MAX = 4 * 1024 * 1024
};

/* ---- which VM ---- */

struct finding {
    const char *word;
    const char *state_dir;
    struct identity identity;
    char id[17];   /* of the newest that has come here; "": none */
    char left[17]; /* of a newer one, by which it has left; "": none */
    char *vm;
    char *date;
};

static void look(void *arg, const char *id, enum side side)
{
    struct finding *finding = arg;
    enum journal_health health;
    struct journal *journal;
    const cJSON *begin;

    if (finding->id[0])
        return;
    journal = journal_open(finding->state_dir, id, side, &finding->identity, &health, NULL);
    if (!journal || !id_means(journal, finding->word)) {
        journal_free(journal);
        return;
    }
    if (journal_has(journal, RECORD_DONE))
        snprintf(finding->left, sizeof(finding->left), "%s", id);
    if (journal_has(journal, RECORD_RUNNING)) {
        begin = journal_find(journal, RECORD_BEGIN);
        snprintf(finding->id, sizeof(finding->id), "%s", id);
        finding->vm = must(strdup(json_string_or(begin, "vm", "?")));
        finding->date = must(strndup(json_string_or(begin, "time", "?"), strlen("2026-01-01")));
    }
    journal_free(journal);
}

static bool find(struct finding *finding, struct error *err)
{
    if (!identity_read(&finding->identity, err) ||
        !journal_list(finding->state_dir, look, finding, err))
        return false;
    if (!finding->id[0])
        return error_set(err, ERROR_REFUSED,
                         "no VM '%s' was moved to this host, as far as journals here know ('xmig "
                         "list --all')",
                         finding->word);
    /* Of a move from this host to itself both sides are here. */
    return !finding->left[0] || !strcmp(finding->left, finding->id) ||
           error_set(err, ERROR_REFUSED,
                     "'%s' has left this host again, by migration %s: start it nowhere here",
                     finding->word, finding->left);
}

static cJSON *read_start(const struct finding *finding, struct error *err)
{
    AUTO_FREE char *path = formatted("%s/%s/start.json", finding->state_dir, finding->id);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    AUTO_FREE char *text = program_tail(fd, START_MAX);

    if (fd >= 0)
        return json_parse_object(text, strlen(text), err);
    error_set(err, ERROR_REFUSED, "'%s' was not started by a command line of QEMU's (%s: %m)",
              finding->vm, path);
    return NULL;
}

/* ---- what is printed ---- */

static void print_for_shell(const char *word)
{
    putchar('\'');
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){ *word, '\0' }, stdout);
    putchar('\'');
}

static void print_for_systemd(const char *word)
{
    putchar('"');
    for (; *word; word++)
        if (strchr("\"\\", *word))
            printf("\\%c", *word);
        else if (strchr("%$", *word))
            printf("%c%c", *word, *word);
        else if ((unsigned char)*word < ' ')
            printf("\\x%02x", (unsigned char)*word);
        else
            putchar(*word);
    putchar('"');
}

static void print_words(const cJSON *start, void (*print)(const char *word), const char *between)
{
    const cJSON *word;

    print(json_string_or(start, "program", ""));
    cJSON_ArrayForEach (word, json_get(start, "words")) {
        fputs(between, stdout);
        print(cJSON_IsString(word) ? word->valuestring : "");
    }
    putchar('\n');
}

static void print_unit(const struct finding *finding, const cJSON *start)
{
    const char *user = json_string_or(start, "user", NULL);
    AUTO_FREE char *vm = printable(finding->vm); /* a name can have lines of its own */

    printf(
        "# The VM '%s', as migration %s of %s has started it on this host.\n"
        "# Enable the unit, and do not start it while the VM runs: since the move the VM runs in "
        "a scope\n"
        "# or a session of its own, which the end of this host ends. What was changed in a "
        "monitor since\n"
        "# the VM was first started (media, limits) is not in this line.\n"
        "[Unit]\nDescription=Virtual machine ",
        vm, finding->id, finding->date);
    for (const char *c = vm; *c; c++)
        fputs(*c == '%' ? "%%" : (char[]){ *c, '\0' }, stdout);
    puts("\nWants=network-online.target\nAfter=network-online.target local-fs.target "
         "remote-fs.target\n\n[Service]\nType=exec");
    if (user)
        printf("User=%s\n", user);
    printf("UMask=%04o\nExecStart=", (unsigned)json_uint_or(start, "umask", 022));
    print_words(start, print_for_systemd, " \\\n    ");
    puts("OOMPolicy=continue\nLimitMEMLOCK=infinity\nLimitNOFILE=65536\n\n"
         "[Install]\nWantedBy=multi-user.target");
}

static bool unit(const struct unit_options *options, struct error *err)
{
    struct directories directories;
    struct finding finding = { .word = options->which };
    AUTO_JSON cJSON *start = NULL;

    directories_find(&directories);
    finding.state_dir = directories.state_dir;
    start = find(&finding, err) ? read_start(&finding, err) : NULL;
    if (start && options->line)
        print_words(start, print_for_shell, " ");
    else if (start)
        print_unit(&finding, start);
    free(finding.vm);
    free(finding.date);
    directories_done(&directories);
    return start != NULL;
}

int command_unit(int argc, char *argv[])
{
    struct unit_options options;
    struct error err = { 0 };

    if (!parse_unit(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (options.help)
        return print_help(help_text);
    if (unit(&options, &err))
        return 0;
    wrap_say(stderr, WRAP_INDENT, "xmig unit: %s", err.text);
    return 1;
}
