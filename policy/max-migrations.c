/* Counts a sender's migrations (max-migrations). Each takes one of so many places, a file that the
 * receiver keeps locked as long as it lives: so the place is free again however the receiver ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "policy/policy.h"
#include "xmig/text.h"

static int lock_file(const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? steal_fd(&fd) : -1;
}

bool policy_take_place(struct policy *policy, const char *runtime_dir, struct error *err)
{
    const struct setting *limit = policy->settings[KEY_MAX_MIGRATIONS];

    if (!limit->is_limit || policy->place >= 0)
        return true;
    if (mkdir(runtime_dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, ERROR_SYSTEM, "cannot make the directory '%s': %m", runtime_dir);
    for (uint64_t i = 0; i < limit->number && policy->place < 0; i++) {
        AUTO_FREE char *path =
            formatted("%s/place-%llu-%s", runtime_dir, (unsigned long long)i, policy->queue);

        policy->place = lock_file(path);
        if (policy->place < 0 && errno != EWOULDBLOCK)
            return error_set(err, ERROR_SYSTEM, "cannot lock '%s': %m", path);
    }
    return policy->place >= 0 ||
           error_set(err, ERROR_REFUSED,
                     "the policy does not permit '%s' more than %s migrations at once: "
                     "max-migrations is '%s' (%s)",
                     policy->name, limit->value, limit->value, limit->from);
}
