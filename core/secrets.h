/* Secrets in texts for people: of a hypervisor's command line, of its own last words, of a URL. */
#ifndef XMIG_CORE_SECRETS_H
#define XMIG_CORE_SECRETS_H

/* The names of values that are secret: "password". NULL-terminated, and kept. Without any, only
 * those of URLs are known.
 */
void secrets_are_called(const char *const names[]);

/* `text` with "***" in place of the values of these names, password=VALUE, also in JSON, and of
 * what stands before the '@' of a URL; bytes that are not UTF-8 become \xHH, for the text may
 * travel as JSON. The caller frees it.
 */
char *secrets_blanked(const char *text);

#endif
