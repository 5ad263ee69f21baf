/* A systemd scope of our own, so that the end of a login or of sshd does not end us. */
#ifndef XMIG_CMD_SYSTEMD_SCOPE_H
#define XMIG_CMD_SYSTEMD_SCOPE_H

/* Move this process to the new scope `name`, in which what it starts begins, too. Where that is not
 * possible, our own session must suffice.
 */
void systemd_scope_enter(const char *name);

#endif
