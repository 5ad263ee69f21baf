/* Shared by the transports; for this folder and its tests. */
#ifndef XMIG_TRANSPORT_INTERNAL_H
#define XMIG_TRANSPORT_INTERNAL_H

#include "xmig/transport.h"

extern const struct transport_ops transport_ssh;
extern const struct transport_ops transport_local;
extern const struct transport_ops transport_tls;

/* Words for a program to be started with; the words are borrowed. */
struct argv {
    const char **words; /* ended by a NULL */
    size_t count;
};

void argv_add(struct argv *argv, const char *word);
void argv_add_all(struct argv *argv, const char *const words[]);
void argv_done(struct argv *argv);

#define AUTO_ARGV __attribute__((cleanup(argv_done)))

/* Start the words with `fd` as their standard input and output; `quiet`: their complaints are of no
 * interest.
 */
struct link *start_link(struct transport *transport, const struct argv *argv, int fd, bool quiet,
                        struct error *err);

/* The command line for a shell: `remote_path` (NULL: "xmig") as it stands, for it may set
 * variables first, and then each word, quoted. The caller frees it.
 */
char *remote_command(const char *remote_path, const char *const words[]);

/* Explain in `err` the exit status of `xmig recv`, started by a shell `where`. */
void explain_status(struct transport *transport, const char *where, int status, struct error *err);

#endif
