/* Help texts, and messages about command lines that make no sense. */
#include "command.h"

#include <stdio.h>

#include "outcome-words.h"
#include "options.h"
#include "report-json.h"
#include "wrap.h"

int print_help(const char *text)
{
    fputs(text, stdout);
    return 0;
}

int end_with_usage(int argc, char *argv[], const struct error *err)
{
    struct json_report json = { .out = stdout };
    struct ending ending;

    wrap_say(stderr, WRAP_INDENT, "xmig %s: %s; see 'xmig %s --help'", argv[0], err->text, argv[0]);
    ending_of_usage(&ending, argv[0], err);
    if (asks_for_json(argc, argv))
        json_report_result(&json, &ending, NULL);
    return ending.status;
}
