/*
 * irm.h - management: names, bindings and IPCPs.
 *
 * All calls ask the IRM daemon and block until it has answered. They return a negative code on failure
 * (<ouroboros/errno.h>): -EIRMD no daemon, -EACCES not root, not the daemon's user and not in group
 * ouroboros, -EINVAL a bad argument, -ENAME an unknown name; errno holds a standard value. Any thread may
 * call. irm_reason() gives the daemon's own sentence about the last failure of the calling thread.
 */
#ifndef OUROBOROS_IRM_H
#define OUROBOROS_IRM_H

#include <stdint.h>
#include <sys/types.h>
#include <ouroboros/cdefs.h>
#include <ouroboros/ipcp.h>
#include <ouroboros/name.h>
#include <ouroboros/qos.h>

O7S_BEGIN_DECLS

/*
 * Starts an IPCP. Returns its pid, or -EIPCPTYPE when this installation has none of that type, -EEXIST when
 * the name is taken.
 */
O7S_API pid_t irm_create_ipcp(const char *name, enum ipcp_type type);

/* Ends it; its flows end. -EIPCP: no such IPCP. */
O7S_API int irm_destroy_ipcp(pid_t pid);

/*
 * Makes it the first member of a layer. -EIPCPSTATE: it is a member already; -EIPCPTYPE: @conf is for
 * another type.
 */
O7S_API int irm_bootstrap_ipcp(pid_t pid, const struct ipcp_config *conf);

/* *@ipcps is an array of as many as returned, the caller's to free(); NULL when there are none. */
O7S_API ssize_t irm_list_ipcps(struct ipcp_list_info **ipcps);

/* Makes a name known. -EEXIST when it is. */
O7S_API int irm_create_name(struct name_info *info);

/* Forgets it with its bindings and registrations. */
O7S_API int irm_destroy_name(const char *name);

/* *@names is an array of as many as returned, the caller's to free(); NULL when there are none. */
O7S_API ssize_t irm_list_names(struct name_info **names);

/*
 * Makes a name reachable through the layer of the IPCP @pid, or no longer. -EIPCPSTATE: it is no member of
 * a layer.
 */
O7S_API int irm_reg_name(const char *name, pid_t pid);
O7S_API int irm_unreg_name(const char *name, pid_t pid);

/*
 * Lets every process that runs @prog (looked up in PATH; a script's own path counts) accept flows for
 * @name, which is created if unknown. With BIND_AUTO in @opts the daemon starts it with the @argc arguments
 * @argv when a flow arrives and nobody accepts, as the calling user (as the daemon's own for root).
 */
O7S_API int irm_bind_program(const char *prog, const char *name, uint16_t opts, int argc, char **argv);
O7S_API int irm_unbind_program(const char *prog, const char *name);

/* The same for one process, by pid. -ESRCH: there is none. */
O7S_API int irm_bind_process(pid_t pid, const char *name);
O7S_API int irm_unbind_process(pid_t pid, const char *name);

/*
 * What the daemon said about the last failed call of this thread, or "". Valid until the thread's next
 * call.
 */
O7S_API const char *irm_reason(void);

O7S_END_DECLS

#endif
