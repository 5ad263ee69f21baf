/* xmig list: the migrations that this host knows of, from their journals. */
#include "command.h"

#include <stdio.h>

#include "find-id.h"
#include "next-step.h"
#include "options.h"
#include "directories.h"
#include "report.h"
#include "wrap.h"
#include "pipeline/commit/guardian.h"
#include "xmig/units.h"
#include "xmig/cleanup.h"
#include "xmig/text.h"

static const char help_text[] =
    "usage: xmig list [--all] [--json] [ID|VM]\n"
    "\n"
    "Shows the migrations that this host knows of and that are not finished: what the last\n"
    "record in their journal is, what that means, whether a process is at work on them, and\n"
    "what to do next on which host. With ID, its beginning, or a VM's name: only those.\n"
    "\n"
    "      --all   finished ones, too\n"
    "      --json  for programs: see xmig-json(5)\n"
    "  -h, --help  this text\n";

enum {
    INDENT = 6
};

struct listing {
    const struct list_options *options;
    struct directories directories;
    struct identity identity;
    struct report *report;
    size_t count;
};

/* What is told of one migration. */
struct item {
    const char *id;
    enum side side;
    const char *vm;
    const char *peer; /* as it was reached; NULL: not known */
    const char *record;
    const char *meaning;
    uint64_t age_ms;
    enum worker worker;
    const char *status; /* what the worker says; NULL */
    int pid;
    struct next_step next;
    int guardian;           /* the process that watches over it; 0: none */
    const char *unreadable; /* why; NULL */
};

static void add_text(cJSON *body, const char *name, const char *text)
{
    cJSON_AddItemToObject(body, name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static void tell(struct listing *listing, const struct item *item)
{
    static const char *const workers[] = {
        [WORKER_NONE] = "none", [WORKER_AT_WORK] = "at-work", [WORKER_SILENT] = "silent"
    };
    cJSON *body = json_new("id", item->id);

    cJSON_AddStringToObject(body, "side", side_name(item->side));
    cJSON_AddBoolToObject(body, "readable", !item->unreadable);
    add_text(body, "vm", item->vm);
    add_text(body, "peer", item->peer);
    add_text(body, "record", item->record);
    add_text(body, "meaning", item->unreadable ? item->unreadable : item->meaning);
    json_add_uint(body, "age_ms", item->age_ms);
    cJSON_AddStringToObject(body, "process", workers[item->worker]);
    add_text(body, "status", item->status);
    add_text(body, "next", item->next.command[0] ? item->next.command : NULL);
    add_text(body, "next_on",
             !item->next.command[0] ? NULL
             : item->next.elsewhere ? "peer"
                                    : "here");
    add_text(body, "advice", item->next.text[0] ? item->next.text : NULL);
    cJSON_AddBoolToObject(body, "guarded", item->guardian != 0);
    report_json(listing->report, "migration", body);
}

static void print_worker(const struct item *item)
{
    if (item->worker == WORKER_AT_WORK)
        wrap_say(stdout, INDENT, "    %s", item->status);
    else if (item->worker == WORKER_SILENT)
        wrap_say(stdout, INDENT, "    process %d holds it and does not answer", item->pid);
    if (item->guardian)
        wrap_say(stdout, INDENT, "    a guardian watches (process %d)", item->guardian);
}

static void print_next(const struct item *item)
{
    char line[512];

    next_step_print(&item->next, item->peer, item->side, line, sizeof(line));
    if (line[0])
        wrap_say(stdout, INDENT, "    next: %s", line);
}

static void print_unreadable(const struct item *item)
{
    wrap_say(stdout, INDENT, "%s  %s  its journal cannot be read, which proves nothing: %s",
             item->id, side_name(item->side), item->unreadable);
    wrap_say(
        stdout, INDENT,
        "    next: look at 'xmig list --all' on the other host, and at xmig-recovery(7); until "
        "then start the VM nowhere");
}

static void print(const struct item *item)
{
    const char *direction = item->side == SIDE_SEND ? "to" : "from";
    char age[UNITS_TEXT_MAX];

    if (item->unreadable) {
        print_unreadable(item);
        return;
    }
    wrap_say(stdout, INDENT, "%s  %s  '%s' %s %s, %s: %s", item->id, side_name(item->side),
             item->vm, direction,
             item->peer                ? item->peer
             : item->side == SIDE_RECV ? "a host that did not say its name"
                                       : "another host",
             print_age(age, item->age_ms), item->record);
    wrap_say(stdout, INDENT, "    %s", item->meaning);
    print_worker(item);
    print_next(item);
}

static void show(struct listing *listing, const struct item *item)
{
    listing->count++;
    if (listing->options->json)
        tell(listing, item);
    else
        print(item);
}

static void show_journal(struct listing *listing, struct migration *m)
{
    const cJSON *begin = journal_find(m->journal, RECORD_BEGIN);
    AUTO_FREE char *status = NULL;
    struct item item = {
        .id = journal_id(m->journal),
        .side = m->side,
        .vm = json_string_or(begin, "source_vm", json_string_or(begin, "vm", "?")),
        .peer = journal_peer(m->journal),
        .record = record_name(journal_last(m->journal)),
        .meaning = journal_meaning(m->journal),
        .age_ms = record_age_ms(newest_record(m->journal)),
        .pid = worker_pid(m),
    };

    if ((journal_is_finished(m->journal) && !listing->options->all) ||
        (listing->options->which && !id_means(m->journal, listing->options->which)))
        return;
    item.worker = find_worker(m, &status);
    item.guardian = guardian_pid(listing->directories.state_dir, item.id, m->side);
    item.status = status;
    next_step_find(m->journal, item.worker, status, &item.next);
    show(listing, &item);
}

/* A journal that cannot be read does not tell its VM: compare only its id. */
static bool may_be_meant(const struct listing *listing, const char *id)
{
    const char *which = listing->options->which;

    return !which || !strncmp(id, which, strlen(which));
}

/* Nothing of it is made or changed: no migration_set_id() here, which makes directories. */
static void on_journal(void *arg, const char *id, enum side side)
{
    struct listing *listing = arg;
    struct migration m = { .side = side };
    struct error err = { 0 };
    enum journal_health health;

    m.journal =
        journal_open(listing->directories.state_dir, id, side, &listing->identity, &health, &err);
    if (!m.journal) {
        if (health == JOURNAL_UNREADABLE && may_be_meant(listing, id))
            show(listing, &(struct item){ .id = id, .side = side, .unreadable = err.text });
        return;
    }
    m.own_runtime_dir = formatted("%s/%s", listing->directories.runtime_dir, id);
    show_journal(listing, &m);
    free(m.own_runtime_dir);
    journal_free(m.journal);
}

static void list_failed(struct ending *ending, const struct error *err)
{
    ending_of_failure(ending, OUTCOME_LOCAL_ERROR, err);
    ending->no_vm = true;
}

static void list_all(struct listing *listing, struct ending *ending)
{
    struct error err = { 0 };

    if (!identity_read(&listing->identity, &err) ||
        !journal_list(listing->directories.state_dir, on_journal, listing, &err))
        list_failed(ending, &err);
    else if (!listing->count && !listing->options->json)
        wrap_say(stderr, WRAP_INDENT, "xmig list: no %s%s%s here (%s)",
                 listing->options->all ? "migrations" : "unfinished migrations",
                 listing->options->which ? " of " : "",
                 listing->options->which ? listing->options->which : "",
                 listing->directories.state_dir);
}

static int list(const struct list_options *options)
{
    struct output_options output = { .json = options->json, .quiet = true };
    struct listing listing = { .options = options,
                               .report = report_new("xmig list", &output, stdout, stderr) };
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    int status;

    directories_find(&listing.directories);
    list_all(&listing, &ending);
    status = report_end(listing.report, &ending);
    report_free(listing.report);
    directories_done(&listing.directories);
    return status;
}

int command_list(int argc, char *argv[])
{
    struct list_options options;
    struct error err = { 0 };

    if (!parse_list(&options, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    return options.help ? print_help(help_text) : list(&options);
}
