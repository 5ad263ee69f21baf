/* What QEMU calls the values that are secret. */
#ifndef XMIG_QMP_SECRET_NAMES_H
#define XMIG_QMP_SECRET_NAMES_H

/* For secrets_are_called(); NULL-terminated. */
extern const char *const qmp_secret_names[];

#endif
