/* A clock that tests put forward: minutes pass in no time. Included once a program, it takes
 * the place of the C library's, also for libuv.
 */
#ifndef TESTS_UNIT_CLOCK_H
#define TESTS_UNIT_CLOCK_H

#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ahead_ms;

static inline void time_passes(uint64_t ms)
{
    clock_ahead_ms += ms;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    uint64_t ns = (uint64_t)now->tv_nsec + clock_ahead_ms % 1000 * 1000000;

    now->tv_sec += (time_t)(clock_ahead_ms / 1000 + ns / 1000000000);
    now->tv_nsec = (long)(ns % 1000000000);
    return status;
}

#endif
