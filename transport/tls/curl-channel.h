/* The sender's end of a connection: libcurl makes it, through proxies if need be, and carries its
 * first words.
 */
#ifndef XMIG_TRANSPORT_TLS_CURL_CHANNEL_H
#define XMIG_TRANSPORT_TLS_CURL_CHANNEL_H

#include "transport/tls/channel.h"
#include "transport/tls/settings.h"

/* What all connections to one receiver have in common: its address, the keys, and the TLS sessions
 * that later handshakes resume.
 */
struct curl_way;
struct curl_way *curl_way_new(const struct tls_place *place, const struct tls_settings *settings);
void curl_way_free(struct curl_way *way);

/* Connect. This waits, and is called in a thread of its own; ERROR_CANCELLED as soon as `stop` is
 * readable.
 */
struct channel *curl_channel_new(struct curl_way *way, int stop, struct error *err);

/* From now on bytes go by OpenSSL directly, past libcurl. Call this after the first read: before
 * that the peer sends the session for later handshakes, or the alert that refuses us.
 */
bool curl_channel_let_go(struct channel *channel, struct error *err);

#endif
