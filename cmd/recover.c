/* xmig recover: settle a migration whose process has died, and say in words where the VM is. */
#include "command.h"

#include <signal.h>
#include <stdio.h>

#include "journal-words.h"
#include "option-tls.h"
#include "recover-all.h"
#include "recover-attempt.h"
#include "wrap.h"
#include "xmig/cleanup.h"

static const char help_text[] =
    "usage: xmig recover [OPTION...] ID|VM\n"
    "       xmig recover --all [--side SIDE] [--json] [-q]\n"
    "\n"
    "Settles migration ID, which was broken off, as far as that can be done without a guess,\n"
    "and says where the VM is. Run it at the source first: it asks the target. While a process\n"
    "is at work on the migration nothing is touched. 'xmig list' knows the IDs; the beginning of\n"
    "one will do, or the VM's name.\n"
    "\n"
    "      --forward       at the source, whose copy of the VM is dead: the target's complete "
    "copy\n"
    "                      goes on; or, if somebody let that run already, it is to stay\n"
    "      --back          at the source: give the target's copy up; the VM is here, or its disks\n"
    "      --close         you have dealt with a VM that died at the target: nothing is left to "
    "do;\n"
    "                      its disks stay on both hosts\n"
    "      --peer-is-dead  you know that the other host is dead and that its copy of the VM can\n"
    "                      never run again: only asked for when nothing else settles it\n"
    "      --yes, -y       do not ask for a confirmation\n"
    "      --all           every migration of this host that is not finished, as its guardian "
    "would:\n"
    "                      a line for each; the exit status is the worst\n"
    "      --discard       at the target: delete the complete disks of a copy that was given back\n"
    "      --side SIDE     send or recv, when both sides of the migration are on this host\n"
    "\n"
    "How to reach a target over TLS, where that has changed since the move began:\n" TLS_OPTION_HELP
    "\n"
    "What to say:\n"
    "      --json          for programs, on standard output: see xmig-json(5)\n"
    "  -q, --quiet         only warnings and errors\n"
    "  -v, --verbose       every detail, and the journal\n"
    "  -h, --help          this text\n"
    "\n"
    "The exit status says where the VM runs:\n"
    "  0  at the target                 5  paused at the source\n"
    "  1  the migration is not known    6  still undecided\n"
    "  2  the command makes no sense    7  at the target; something of the old copy is left\n"
    "  4  at the source                 8  nowhere\n";

/* What a person types to be believed; a program says --yes. */
struct word {
    const char *option, *typed, *when;
};

static const struct word word_for_forward = { "--forward", "forward", "it has not run here since" };
static const struct word word_for_close = { "--close", "close", "you have dealt with the VM" };
static const struct word word_for_dead = { "--peer-is-dead", "dead",
                                           "the other host can never run it again" };

static const struct word *word_needed(const struct recovering *recovering)
{
    return recovering->options->recover.forward ? &word_for_forward
           : recovering->options->recover.close ? &word_for_close
                                                : &word_for_dead;
}

static void say_what_follows(const struct recovering *recovering, const struct word *word)
{
    const char *vm = recovering->vm ? recovering->vm : "?";
    const char *other = recovering->m.side == SIDE_SEND ? "target" : "source";

    if (word == &word_for_forward)
        wrap_say(stderr, 0,
                 "Nothing here can prove that. What '%s' has done on this host since it was paused "
                 "for the move, if it has run here since, is not in the target's copy and is lost.",
                 vm);
    else if (word == &word_for_close)
        wrap_say(stderr, 0,
                 "'%s' died at the target, and does not run there. If you go on, this migration is "
                 "closed on this host; a paused old copy at the source is ended. All disks stay.",
                 vm);
    else
        wrap_say(stderr, 0,
                 "Nothing else settles this migration. If you go on, '%s' will run on this host, "
                 "whatever has become of it on the %s%s%s. If it runs there too, or ever runs "
                 "there again, two copies write to what is no longer one VM, and one of them is "
                 "lost.",
                 vm, other, recovering->dest ? " " : "", recovering->dest ? recovering->dest : "");
}

static bool is_confirmed(const struct recovering *recovering)
{
    const struct word *word = word_needed(recovering);
    char answer[16] = "";

    if (recovering->options->yes)
        return true;
    say_what_follows(recovering, word);
    fprintf(stderr, "Type '%s' if %s: ", word->typed, word->when);
    return fgets(answer, sizeof(answer), stdin) &&
           !strncmp(answer, word->typed, strlen(word->typed)) &&
           !strcmp(answer + strlen(word->typed), "\n");
}

static void not_confirmed(const struct recovering *recovering, struct ending *ending)
{
    error_set(&ending->result.error, ERROR_CANCELLED,
              "%s was not confirmed: nothing was done on its account",
              word_needed(recovering)->option);
}

/* A guardian, or another recover, may have settled it while this one was at it. */
static bool was_settled_meanwhile(const struct recovering *recovering, const struct ending *ending)
{
    struct journal *journal = recovering->m.journal;

    return journal && attempt_is_open(&ending->result) && journal_refresh(journal, NULL) &&
           journal_is_finished(journal);
}

static int run(struct recovering *recovering)
{
    struct recovering again = *recovering;
    struct ending ending;
    bool wants_word = attempt(recovering, false, &ending);

    if (was_settled_meanwhile(recovering, &ending)) {
        attempt_end(recovering);
        attempt(&again, false, &ending);
        return attempt_finish(&again, &ending);
    }
    if (!wants_word)
        return attempt_finish(recovering, &ending);
    report_say(recovering->report, "%s", ending.result.error.text);
    if (!is_confirmed(recovering)) {
        not_confirmed(recovering, &ending);
        return attempt_finish(recovering, &ending);
    }
    attempt_end(recovering);
    attempt(&again, true, &ending);
    return attempt_finish(&again, &ending);
}

static int recover(const struct recover_command_options *options)
{
    struct directories directories;
    struct report *report = report_new("xmig recover", &options->output, stdout, stderr);
    struct recovering recovering = { .options = options,
                                     .directories = &directories,
                                     .report = report };
    struct ending ending;
    struct error err = { 0 };
    int status;

    signal(SIGPIPE, SIG_IGN);
    if (directories_make(&directories, &err)) {
        status = run(&recovering);
    } else {
        ending_of_failure(&ending, OUTCOME_LOCAL_ERROR, &err);
        status = report_end(report, &ending);
    }
    report_free(report);
    directories_done(&directories);
    return status;
}

static int recover_as_told(const struct recover_command_options *options, int argc, char *argv[])
{
    struct error err = { 0 };

    if (options->help)
        return print_help(help_text);
    if (options->all)
        return recover_all(options);
    if (options->recover.peer_is_dead && !options->yes && !isatty(STDIN_FILENO)) {
        error_set(&err, ERROR_REFUSED,
                  "--peer-is-dead needs a terminal to confirm it at, or --yes");
        return end_with_usage(argc, argv, &err);
    }
    return recover(options);
}

int command_recover(int argc, char *argv[])
{
    struct recover_command_options options;
    struct error err = { 0 };
    int status = parse_recover(&options, argc, argv, &err) ? recover_as_told(&options, argc, argv)
                                                           : end_with_usage(argc, argv, &err);

    cJSON_Delete(options.tls);
    return status;
}
