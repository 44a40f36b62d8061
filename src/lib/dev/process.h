/*
 * process.h - what the library holds for its process: the connection to irmd and the flows. Set up at the first call that needs it; there is no constructor.
 *
 * A forked child has neither: a handler (pthread_atfork) empties this in the child, where other threads' locks may have been copied while held.
 */
#ifndef O7S_DEV_PROCESS_H
#define O7S_DEV_PROCESS_H

struct rpc;

/*
 * The connection to irmd, greeted (Hello). One that was lost is replaced. *@out is a reference of the caller's, for rpc_unref(). 0, -EIRMD (no daemon, or one that
 * speaks another version), -ENOMEM.
 */
int process_connect(struct rpc **out);

#endif
