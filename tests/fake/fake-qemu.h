/* A QEMU that is only a QMP socket and a script, on the test's own loop. */
#ifndef XMIG_FAKE_QEMU_H
#define XMIG_FAKE_QEMU_H

#include "xmig/loop.h"

enum {
    FAKE_LINES_MAX = 8
};

enum fake_action {
    FAKE_REPLY,
    FAKE_IGNORE,  /* no reply, ever */
    FAKE_HANG_UP, /* no reply, and the connection ends */
};

/* One command it expects, and what it says then. A script ends with a NULL command. */
struct exchange {
    const char *command;
    const char *reply;                  /* JSON to return; "error: WORDS"; NULL: {} */
    const char *events[FAKE_LINES_MAX]; /* whole lines, right after the reply */
    const char *with;                   /* must occur in the command's line; NULL: anything */
    const char *early[FAKE_LINES_MAX];  /* whole lines, before the reply */
    enum fake_action action;
};

struct fake_qemu;

/* `script` is borrowed. qmp_capabilities is answered without being in it. */
struct fake_qemu *fake_qemu_new(struct loop *loop, const struct exchange *script);
void fake_qemu_free(struct fake_qemu *fake);

const char *fake_qemu_path(const struct fake_qemu *fake);

/* Before a client connects: another greeting (a line; NULL: silence). */
void fake_qemu_greet_with(struct fake_qemu *fake, const char *line);

/* Say a line unasked. */
void fake_qemu_say(struct fake_qemu *fake, const char *line);
void fake_qemu_hang_up(struct fake_qemu *fake);

/* What was not as the script has it: something else came, or not all of it. NULL: nothing. */
const char *fake_qemu_complaint(struct fake_qemu *fake);

#endif
