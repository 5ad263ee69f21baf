/* The systemd service whose command a process is: systemd is asked, by systemctl. */
#include "host/system/service.h"

#include <pwd.h>
#include <stdio.h>

#include "host/system/program.h"
#include "xmig/text.h"

enum {
    ASK_MS = 5000
};

/* ---- which systemd, and which service ---- */

/* Below a group "user@UID.service" are a user's own services, which that user's systemd knows. */
static char *find_systemctl(const char *unit)
{
    static const char mark[] = "/user@";
    const char *manager = strstr(unit, mark);
    const struct passwd *user;
    unsigned uid;

    if (!manager || sscanf(manager + strlen(mark), "%u.service/", &uid) != 1 ||
        !strchr(manager + 1, '/'))
        return must(strdup("systemctl"));
    user = uid == geteuid() ? NULL : getpwuid(uid);
    if (!user)
        return must(strdup("systemctl --user"));
    /* The command is words with spaces between them: a name with one is said by its number. */
    return strchr(user->pw_name, ' ')
               ? formatted("systemctl --user --machine=%u@.host", uid)
               : formatted("systemctl --user --machine=%s@.host", user->pw_name);
}

static char *find_name(const char *unit)
{
    const char *slash = strrchr(unit, '/');
    const char *name = slash ? slash + 1 : unit;
    const char *ending = strrchr(name, '.');

    return ending && !strcmp(ending, ".service") ? must(strdup(name)) : NULL;
}

/* ---- its properties ---- */

/* The value of "KEY=" in what systemctl shows; the caller frees it. NULL: there is none. */
static char *property(const char *text, const char *key)
{
    size_t len = strlen(key);

    for (const char *line = text; *line; line += *line == '\n') {
        size_t all = strcspn(line, "\n");

        if (all > len && !strncmp(line, key, len) && line[len] == '=')
            return must(strndup(line + len + 1, all - len - 1));
        line += all;
    }
    return NULL;
}

bool service_is_login(const struct ancestor *ancestor)
{
    static const char *const names[] = { "sshd",   "sshd-session", "sshd-auth", "cron",
                                         "crond",  "atd",          "login",     "dropbear",
                                         "screen", "tmux: server", "systemd",   NULL };

    for (const char *const *name = names; *name; name++)
        if (!strcmp(ancestor->name, *name))
            return true;
    return false;
}

/* Does the service end with the process? So it does where systemd knows no main process: then the
 * last process counts.
 */
static bool ends_with(const struct process_place *place, pid_t pid, pid_t main_pid)
{
    if (main_pid == 0 || main_pid == pid)
        return true;
    for (size_t i = 0; i < place->ancestor_count; i++) {
        if (service_is_login(&place->ancestors[i]))
            return false;
        if (place->ancestors[i].pid == main_pid)
            return true;
    }
    return false;
}

static char *ask(struct loop *loop, const struct service *service, struct error *err)
{
    static const char shown[] =
        "LoadState,ControlGroup,MainPID,Restart,RestartUSec,FragmentPath,UnitFileState";
    AUTO_FREE char *copy = must(strdup(service->systemctl));
    const char *words[8] = { 0 };
    size_t count = 0;
    char *rest = copy;
    char *word, *output = NULL;

    while ((word = strsep(&rest, " ")))
        words[count++] = word;
    words[count++] = "show";
    words[count++] = "--property";
    words[count++] = shown;
    words[count] = service->name;
    return program_run(loop, words, &output, ASK_MS, err) ? output : NULL;
}

/* Another systemd, in a container, may have a service of that name: the control group tells. */
static bool is_of(const char *text, const char *unit)
{
    AUTO_FREE char *group = property(text, "ControlGroup");

    return group && *group && !strcmp(group, unit);
}

static bool is_enabled(const char *text)
{
    AUTO_FREE char *state = property(text, "UnitFileState");

    return state && !strncmp(state, "enabled", strlen("enabled"));
}

static void take(struct service *service, const struct process_place *place, pid_t pid,
                 const char *text)
{
    AUTO_FREE char *main_pid = property(text, "MainPID");

    service->main_pid = main_pid ? (pid_t)strtol(main_pid, NULL, 10) : 0;
    if (!is_of(text, place->unit)) {
        snprintf(service->why, sizeof(service->why), "it knows no such service that runs");
    } else if (!ends_with(place, pid, service->main_pid)) {
        service_done(service);
    } else {
        service->restart = property(text, "Restart");
        service->delay = property(text, "RestartUSec");
        service->file = property(text, "FragmentPath");
        service->enabled = is_enabled(text);
    }
}

void service_of_process(struct loop *loop, const struct process_place *place, pid_t pid,
                        struct service *service)
{
    AUTO_FREE char *text = NULL;
    struct error err = { 0 };

    *service = (struct service){ .name = place->unit ? find_name(place->unit) : NULL };
    if (!service->name)
        return;
    service->systemctl = find_systemctl(place->unit);
    text = ask(loop, service, &err);
    if (text)
        take(service, place, pid, text);
    else
        snprintf(service->why, sizeof(service->why), "%.*s", (int)sizeof(service->why) - 1,
                 err.text);
}

void service_done(struct service *service)
{
    free(service->name);
    free(service->systemctl);
    free(service->restart);
    free(service->delay);
    free(service->file);
    *service = (struct service){ 0 };
}

bool service_restarts(const struct service *service)
{
    return service->restart && strcmp(service->restart, "no") != 0;
}
