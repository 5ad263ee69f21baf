/* The sender reaches its peer. */
#include "xmig/run.h"

#include "pipeline.h"
#include "pipeline/handshake.h"
#include "pipeline/status-socket.h"

bool migration_connect(struct migration *m, struct error *err)
{
    m->status = status_listen(m, err);
    if (!m->status)
        return false;
    pipeline_choose_stages(m);
    if (!transport_open(m->transport, err) || !handshake_move(m, err))
        return false;
    session_set_stations(m->peer, m->stations);
    return true;
}
