/* The commands: one file each, and what they share. */
#ifndef XMIG_CMD_COMMAND_H
#define XMIG_CMD_COMMAND_H

#include "xmig/error.h"

struct command {
    const char *name;
    int (*run)(int argc, char *argv[]); /* argv[0] is the name; returns the exit status */
    const char *summary;
};

/* `xmig COMMAND …`, and `xmig --help`; commands.c. Both return the exit status. */
int commands_run(int argc, char *argv[]);
int commands_overview(void);

int command_send(int argc, char *argv[]);
int command_recv(int argc, char *argv[]);
int command_lane(int argc, char *argv[]);
int command_launch(int argc, char *argv[]);
int command_monitor(int argc, char *argv[]);
int command_stages(int argc, char *argv[]);
int command_unit(int argc, char *argv[]);
int command_list(int argc, char *argv[]);
int command_recover(int argc, char *argv[]);
int command_guard(int argc, char *argv[]);
int command_report(int argc, char *argv[]);
int command_fence(int argc, char *argv[]);
int command_forget(int argc, char *argv[]);
int command_policy(int argc, char *argv[]);
int command_clean(int argc, char *argv[]);
int command_status(int argc, char *argv[]);
int command_vms(int argc, char *argv[]);
int command_cancel(int argc, char *argv[]);
int command_limit(int argc, char *argv[]);
int command_listen(int argc, char *argv[]);
int command_keys(int argc, char *argv[]);

/* Print what there is of `commands`, which ends with a NULL name: returns 0. */
int print_overview(const struct command *commands);

/* `xmig complete …`, for which `commands` are all there are: returns 0. */
int print_completions(const struct command *commands, int argc, char *argv[]);

/* There is no such command: say which one may have been meant. Returns 2. */
int complain_about_command(const struct command *commands, const char *name);

/* Print a help text: returns 0. */
int print_help(const char *text);

/* A command line that makes no sense: one line, and a result for programs. Returns 2. */
int end_with_usage(int argc, char *argv[], const struct error *err);

#endif
