/* The test guest's serial line. */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

char tty_name[32] = "ttyS1";
int tty_fd = -1;
static pthread_mutex_t tty_lock = PTHREAD_MUTEX_INITIALIZER;

void say(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line) - 1, format, args);
    va_end(args);
    strcat(line, "\n");

    size_t len = strlen(line);

    pthread_mutex_lock(&tty_lock);
    for (size_t done = 0; done < len;) {
        ssize_t wrote = write(tty_fd, line + done, len - done);

        if (wrote < 0 && errno != EINTR)
            break;
        if (wrote > 0)
            done += (size_t)wrote;
    }
    pthread_mutex_unlock(&tty_lock);
}

void die(const char *format, ...)
{
    char why[LINE_MAX_BYTES / 2];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    fprintf(stderr, "xmig test guest: %s\n", why);
    if (tty_fd >= 0)
        say("DEAD %s", why);
    for (;;)
        pause();
}

void tty_open(void)
{
    char path[64];
    struct termios mode;

    snprintf(path, sizeof(path), "/dev/%s", tty_name);
    tty_fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (tty_fd < 0)
        die("%s: %m", path);
    if (tcgetattr(tty_fd, &mode) < 0)
        die("%s: is not a terminal: %m", path);
    cfmakeraw(&mode);
    mode.c_iflag |= ICRNL; /* for a person at a terminal */
    mode.c_cflag |= CLOCAL | CREAD;
    cfsetspeed(&mode, B115200);
    if (tcsetattr(tty_fd, TCSANOW, &mode) < 0)
        die("%s: cannot set its mode: %m", path);
}
