/* The systemd service whose command a process is. */
#ifndef XMIG_HOST_SYSTEM_SERVICE_H
#define XMIG_HOST_SYSTEM_SERVICE_H

#include "host/system/process-place.h"
#include "xmig/loop.h"

struct service {
    char *name;      /* with its ending; NULL: none */
    char *systemctl; /* the command that reaches its systemd: "systemctl --user" for a user's */
    /* What systemd says of it. restart is NULL where systemd cannot be asked: `why`. */
    char *restart;  /* "no", "always", "on-failure", … */
    char *delay;    /* before it is started again: "3s" */
    char *file;     /* "": it has none */
    bool enabled;   /* a boot starts it */
    pid_t main_pid; /* 0: systemd knows none */
    char why[256];
};

/* A process that only happens to be in a service's control group (a login's, where sshd is the
 * service) is not the service's command. Takes up to seconds. service_done() frees what it holds.
 */
void service_of_process(struct loop *loop, const struct process_place *place, pid_t pid,
                        struct service *service);
void service_done(struct service *service);

/* Is the command started again when it ends? */
bool service_restarts(const struct service *service);

/* From a process that starts jobs and logins of people: what descends from it is not its own. */
bool service_is_login(const struct ancestor *ancestor);

#endif
