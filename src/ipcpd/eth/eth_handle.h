/* eth_handle.h - closing what may not have been opened. */
#ifndef O7S_IPCPD_ETH_ETH_HANDLE_H
#define O7S_IPCPD_ETH_ETH_HANDLE_H

#include <uv.h>

/*
 * Calls @closed with @owner in h->data when the loop has let go of @h. Returns how often that will be: 0
 * for a handle that is all zeros, and so was never initialised.
 */
static inline unsigned eth_handle_close(uv_handle_t *h, void *owner, uv_close_cb closed)
{
        if (uv_handle_get_type(h) == UV_UNKNOWN_HANDLE)
                return 0;
        h->data = owner;
        uv_close(h, closed);
        return 1;
}

#endif
