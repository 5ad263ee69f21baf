/* Where xmig keeps things on this machine: as the environment says, else where root, or
 * where an unprivileged user, keeps such things.
 */
#include "directories.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "xmig/cleanup.h"
#include "xmig/paths.h"
#include "xmig/text.h"

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static const char *home(void)
{
    const char *value = environment("HOME");
    const struct passwd *user = value ? NULL : getpwuid(getuid());

    if (user)
        value = user->pw_dir;
    return value ? value : "/";
}

static char *find_state_dir(void)
{
    const char *given = environment("XMIG_STATE_DIR");
    const char *xdg = environment("XDG_STATE_HOME");

    if (given)
        return must(strdup(given));
    if (geteuid() == 0)
        return must(strdup("/var/lib/xmig"));
    return xdg ? formatted("%s/xmig", xdg) : formatted("%s/.local/state/xmig", home());
}

static char *find_config_dir(void)
{
    const char *given = environment("XMIG_CONFIG_DIR");
    const char *xdg = environment("XDG_CONFIG_HOME");

    if (given)
        return must(strdup(given));
    if (geteuid() == 0)
        return must(strdup("/etc/xmig"));
    return xdg ? formatted("%s/xmig", xdg) : formatted("%s/.config/xmig", home());
}

static char *find_runtime_dir(void)
{
    const char *given = environment("XMIG_RUNTIME_DIR");
    const char *xdg = environment("XDG_RUNTIME_DIR");

    if (given)
        return must(strdup(given));
    if (geteuid() == 0)
        return must(strdup(PATH_RUNTIME));
    if (xdg)
        return formatted("%s/xmig", xdg);
    return formatted("/tmp/xmig-%u", (unsigned)geteuid());
}

/* In /tmp anybody can have been there first. */
static bool make_private(const char *path, struct error *err)
{
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(
            err, ERROR_SYSTEM,
            "cannot make the directory '%s': %m; make that possible, or set XMIG_RUNTIME_DIR",
            path);
    if (lstat(path, &st) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot look at '%s': %m", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ERROR_SYSTEM,
                         "'%s' is not a directory: remove it, or set XMIG_RUNTIME_DIR", path);
    if (st.st_uid != geteuid() || (st.st_mode & 022))
        return error_set(err, ERROR_SYSTEM,
                         "'%s' belongs to another user, or others may write there: set "
                         "XMIG_RUNTIME_DIR to a directory of your own",
                         path);
    return true;
}

void directories_find(struct directories *directories)
{
    *directories = (struct directories){ .state_dir = find_state_dir(),
                                         .config_dir = find_config_dir(),
                                         .runtime_dir = find_runtime_dir() };
}

bool directories_make(struct directories *directories, struct error *err)
{
    directories_find(directories);
    return make_private(directories->runtime_dir, err);
}

void directories_done(struct directories *directories)
{
    free(directories->state_dir);
    free(directories->config_dir);
    free(directories->runtime_dir);
}

void directories_find_keys(struct keys *keys)
{
    AUTO_FREE char *config_dir = find_config_dir();
    AUTO_FREE char *directory = formatted("%s/keys", config_dir);

    keys_find(keys, directory);
}
