/*
 * errno.h - error codes of Ouroboros, and their text.
 *
 * Calls of this library return a negative code: -E… of <errno.h> or one of those below. `errno` is set as
 * well, always to a standard value, so that perror() says something true; the mapping is in the comment
 * beside each code.
 */
#ifndef OUROBOROS_ERRNO_H
#define OUROBOROS_ERRNO_H

#include <errno.h>
#include <ouroboros/cdefs.h>

#define ENOTALLOC  1000 /* nobody accepts flows for the name    errno ECONNREFUSED */
#define EIPCPTYPE  1001 /* IPCP of an unknown or unfit type     errno EINVAL       */
#define EIRMD      1002 /* the IRM daemon is not there or left  errno ECONNREFUSED */
#define EIPCP      1003 /* no IPCP can do it                    errno ECONNREFUSED */
#define EIPCPSTATE 1004 /* the IPCP is in the wrong state       errno EBUSY        */
#define EFLOWDOWN  1005 /* the flow is down                     errno EPIPE        */
#define EFLOWPEER  1006 /* the peer is no longer heard          errno ETIMEDOUT    */
#define ENAME      1007 /* the name is unknown                  errno ENOENT       */
#define ECRYPT     1008 /* no way to encrypt that both allow    errno EACCES       */
#define EAUTH      1009 /* authentication failed or was refused errno EACCES       */

O7S_BEGIN_DECLS

/*
 * A sentence for @code, which may be negative or positive, standard or from above. Returns a constant
 * string, never NULL. Thread safe; changes nothing.
 */
O7S_API const char *o7s_strerror(int code);

O7S_END_DECLS

#endif
