/* Secrets in texts for people: of a QEMU's command line, of its own last words, of a URL. */
#ifndef XMIG_CORE_SECRETS_H
#define XMIG_CORE_SECRETS_H

/* `text` with "***" in place of the values of data=, password= and the like, also in JSON, and of
 * what stands before the '@' of a URL; bytes that are not UTF-8 become \xHH, for the text may
 * travel as JSON. The caller frees it.
 */
char *secrets_blanked(const char *text);

#endif
