/* Settling a migration where nobody is there to be asked: for the guardian, after a boot, and
 * before another move of the VM.
 */
#include "recover.h"

#include <stdio.h>

#include "journal-words.h"
#include "recover-attempt.h"
#include "report-json.h"
#include "xmig/cleanup.h"

/* The options of an attempt that prints nothing by itself. */
static struct recover_command_options quietly(const char *id, enum side side)
{
    return (struct recover_command_options){
        .output = { .quiet = true, .progress = PROGRESS_NEVER },
        .id = id,
        .has_side = true,
        .side = side,
    };
}

void recover_silently(const struct directories *directories, const char *id, struct result *result,
                      bool *finished)
{
    const struct recover_command_options options = quietly(id, SIDE_SEND);
    struct report *report = report_new("xmig", &options.output, stdout, stderr);
    struct recovering recovering = { .options = &options,
                                     .directories = directories,
                                     .report = report };
    struct ending ending;

    (void)attempt(&recovering, false, &ending);
    *result = ending.result;
    *finished = recovering.m.journal && journal_is_finished(recovering.m.journal);
    attempt_end(&recovering);
    report_free(report);
}

/* Is another attempt useless? The target has answered, and its answer settled nothing. */
static bool needs_a_person(const struct recovering *recovering, const struct result *result)
{
    return (attempt_is_open(result) && recovering->m.answered) || result->choice ||
           result->outcome == OUTCOME_NOWHERE;
}

/* Make one attempt. It is reported to `told` and to the migration's log; `see` gets its end. */
static void run_unattended(const struct directories *directories,
                           const struct recover_command_options *options, FILE *told,
                           void (*see)(void *arg, const struct recovering *recovering,
                                       const struct ending *ending),
                           void *arg)
{
    struct report *report = report_new("xmig guard", &options->output, told, told);
    struct recovering recovering = { .options = options,
                                     .directories = directories,
                                     .report = report };
    struct ending ending;

    (void)attempt(&recovering, false, &ending);
    see(arg, &recovering, &ending);
    (void)attempt_finish(&recovering, &ending);
    report_free(report);
}

static void see_need(void *arg, const struct recovering *recovering, const struct ending *ending)
{
    *(bool *)arg = needs_a_person(recovering, &ending->result);
}

enum unattended recover_unattended(const struct directories *directories, const char *id,
                                   enum side side, bool lease_is_over)
{
    struct recover_command_options options = quietly(id, side);
    bool needs;

    options.unattended = true;
    options.who = "the guardian: ";
    options.recover.lease_is_over = lease_is_over;
    run_unattended(directories, &options, stderr, see_need, &needs);
    return needs ? UNATTENDED_NEEDS_A_PERSON : UNATTENDED_GOES_ON;
}

static void see_ending(void *arg, const struct recovering *recovering, const struct ending *ending)
{
    (void)recovering;
    *(cJSON **)arg = json_of_ending(ending, NULL);
}

cJSON *recover_one_of_all(const struct directories *directories, const char *id, enum side side)
{
    struct recover_command_options options = quietly(id, side);
    FILE *nowhere = must(fopen("/dev/null", "we"));
    cJSON *body = NULL;

    options.unattended = true;
    options.who = "recover --all: ";
    run_unattended(directories, &options, nowhere, see_ending, &body);
    fclose(nowhere);
    return body;
}
