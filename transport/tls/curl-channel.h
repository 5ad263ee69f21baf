/* The sender's end of a connection: libcurl makes it, through proxies if need be, and carries its
 * first words.
 */
#ifndef XMIG_TRANSPORT_TLS_CURL_CHANNEL_H
#define XMIG_TRANSPORT_TLS_CURL_CHANNEL_H

#include "transport/tls/channel.h"
#include "transport/tls/settings.h"

/* What all connections to one receiver have in common: where it is, by which keys, and the sessions
 * that a later handshake resumes.
 */
struct curl_way;
struct curl_way *curl_way_new(const struct tls_place *place, const struct tls_settings *settings);
void curl_way_free(struct curl_way *way);

/* Connect. Waits, for a thread of its own; ERROR_CANCELLED as soon as `stop` can be read. */
struct channel *curl_channel_new(struct curl_way *way, int stop, struct error *err);

/* The bytes go past libcurl from now on, once something has been read: before that come the session
 * for later handshakes, and what the peer has against us.
 */
bool curl_channel_let_go(struct channel *channel, struct error *err);

#endif
