/* The guardian, as others see it: how it is started, and its locks. */
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

/* Bytes of the file, each with a lock of its own. The kernel tells who holds it, and takes it
 * from the dead.
 */
enum lock_byte {
    WATCHES,
    ATTEMPTS,
};

bool guardian_start(struct migration *m, struct error *err)
{
    const char *const words[] = { "/proc/self/exe", "guard", m->id, side_name(m->side), NULL };
    struct child *child = child_start(m->loop, words, -1, -1, -1, err);

    child_release(child); /* it outlives us */
    return child != NULL;
}

static char *lock_path(const char *state_dir, const char *id, enum side side)
{
    return formatted("%s/%s/%s.guardian", state_dir, id, side_name(side));
}

static struct flock lock_of(enum lock_byte byte)
{
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1
    };
}

/* The process that holds the lock; 0: none. */
static pid_t holder(const char *state_dir, const char *id, enum side side, enum lock_byte byte)
{
    AUTO_FREE char *path = lock_path(state_dir, id, side);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = lock_of(byte);

    if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid;
}

/* The descriptor stays open: any other one that this process closed would drop the lock. */
static bool hold(const char *state_dir, const char *id, enum side side, enum lock_byte byte,
                 struct error *err)
{
    AUTO_FREE char *path = lock_path(state_dir, id, side);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct flock lock = lock_of(byte);

    if (fd < 0)
        return error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", path);
    if (fcntl(fd, F_SETLK, &lock) == 0) {
        (void)steal_fd(&fd);
        return true;
    }
    if (errno == EAGAIN || errno == EACCES)
        return error_set(err, ERROR_REFUSED, "another guardian is at it");
    return error_set(err, ERROR_SYSTEM, "cannot lock '%s': %m", path);
}

pid_t guardian_pid(const char *state_dir, const char *id, enum side side)
{
    return holder(state_dir, id, side, WATCHES);
}

bool guardian_watch(const char *state_dir, const char *id, enum side side, struct error *err)
{
    return hold(state_dir, id, side, WATCHES, err);
}

void guardian_leave(const char *state_dir, const char *id, enum side side)
{
    AUTO_FREE char *path = lock_path(state_dir, id, side);

    (void)unlink(path);
}

bool guardian_begin_attempt(const struct migration *m, struct error *err)
{
    return hold(m->state_dir, m->id, m->side, ATTEMPTS, err);
}

bool guardian_end_attempt(const struct migration *m, struct error *err)
{
    enum {
        PATIENCE_MS = 3000,
        DEATH_MS = 10000
    };
    pid_t pid = holder(m->state_dir, m->id, m->side, ATTEMPTS);
    uint64_t start_time = process_start_time(pid);

    if (!pid || pid == getpid())
        return true;
    event_say(&m->events, EVENT_NOTE, NULL, "the guardian (process %d) is at it: waiting for it",
              (int)pid);
    if (process_await(pid, start_time, PATIENCE_MS))
        return true;
    event_say(&m->events, EVENT_NOTE, NULL, "going on in the guardian's place");
    return process_kill(pid, start_time, DEATH_MS, err);
}
