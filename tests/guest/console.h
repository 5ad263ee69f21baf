/* The serial line on which the test guest tells how it is, and hears its commands. */
#ifndef XMIG_TESTS_GUEST_CONSOLE_H
#define XMIG_TESTS_GUEST_CONSOLE_H

enum {
    LINE_MAX_BYTES = 512
};

extern char tty_name[32];
extern int tty_fd;

void tty_open(void);

/* Prints one line, whole, whatever other threads print. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* There is nothing to fall back on: says why and falls silent, which no watcher
 * takes for health.
 */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
