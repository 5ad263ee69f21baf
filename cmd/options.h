/* Reads command lines into structs. A command line that makes no sense is refused with one line;
 * nothing is printed.
 */
#ifndef XMIG_CMD_OPTIONS_H
#define XMIG_CMD_OPTIONS_H

#include "xmig/options.h"
#include "xmig/commit.h"

enum progress_when {
    PROGRESS_AUTO,   /* drawn on a terminal, a line now and then elsewhere */
    PROGRESS_ALWAYS, /* drawn, whatever standard error is */
    PROGRESS_NEVER,
};

/* How a command talks. */
struct output_options {
    bool json;
    bool quiet; /* … but for warnings and errors */
    bool verbose;
    enum progress_when progress;
};

struct send_options {
    struct output_options output;
    bool help;
    bool simulate;
    bool detach;
    bool has_guardian_choice; /* --guardian or --no-guardian */
    const char *vm;
    const char *dest;
    const char *rsh;
    const char *remote_path;
    const char *trace; /* a file; NULL */
    cJSON *tls;        /* option-tls.h; NULL: none was given */
    /* What migration.vm borrows. */
    cJSON *disk_targets;
    cJSON *overwrite;
    cJSON *shared;
    cJSON *eject;
    cJSON *despite;
    cJSON *lose;
    cJSON *trust;
    cJSON *bridges;
    const char *without[MIGRATION_STAGES_MAX + 1];
    struct migration_options migration; /* points into this struct: do not copy it */
};

enum {
    SENDER_NAMES_MAX = 4 /* --as */
};

struct recv_options {
    bool help;
    bool verbose;
    const char *names[SENDER_NAMES_MAX + 1]; /* --as; the most particular first */
    const char *peer; /* the address of who sends, as the listener knows it; NULL */
};

struct lane_options {
    bool help;
    const char *via; /* NULL: this is the target */
    bool framed;
    const char *id;
    const char *ticket;
    const char *name;
};

struct guard_options {
    bool help;
    const char *id;
    enum side side;
};

struct listen_command_options {
    bool help;
    const char *address; /* NULL: none was given */
    const char *cacert, *cert, *key, *crlfile;
    uint64_t max_migrations, max_per_peer; /* 0: the default */
};

struct stages_options {
    bool help;
    bool json;
};

struct unit_options {
    bool help;
    bool line;
    const char *which; /* a migration, or its VM */
};

struct list_options {
    bool help;
    bool json;
    bool all;
    const char *which; /* only this migration, or this VM's; NULL: each */
};

struct recover_command_options {
    struct output_options output;
    bool help;
    bool yes;
    const char *id; /* or its beginning, or the VM's name */
    bool has_side;
    enum side side;
    bool all;   /* there is no `id` then */
    cJSON *tls; /* option-tls.h; NULL: none was given */
    /* Not from a command line: */
    bool unattended;
    const char *who; /* is it, in the log */
    struct recover_options recover;
};

/* Strings are borrowed from `argv`, whose words are sorted: operands last. With `help` set
 * the rest does not count. ERROR_REFUSED is a usage error.
 */
bool parse_send(struct send_options *options, int argc, char *argv[], struct error *err);
void send_options_done(struct send_options *options);

bool parse_recv(struct recv_options *options, int argc, char *argv[], struct error *err);
bool parse_lane(struct lane_options *options, int argc, char *argv[], struct error *err);
bool parse_guard(struct guard_options *options, int argc, char *argv[], struct error *err);
bool parse_stages(struct stages_options *options, int argc, char *argv[], struct error *err);
bool parse_unit(struct unit_options *options, int argc, char *argv[], struct error *err);
bool parse_list(struct list_options *options, int argc, char *argv[], struct error *err);
bool parse_recover(struct recover_command_options *options, int argc, char *argv[],
                   struct error *err);
bool parse_listen(struct listen_command_options *options, int argc, char *argv[],
                  struct error *err);

/* Does a command line that makes no sense ask for JSON all the same? */
bool asks_for_json(int argc, char *argv[]);

#endif
