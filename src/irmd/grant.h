/* grant.h - the one right that a started program may keep: to open packet sockets (capabilities(7)). */
#ifndef O7S_IRMD_GRANT_H
#define O7S_IRMD_GRANT_H

/* Before a process of root becomes another user: it does not lose what it may by that. 0 or -errno. */
int grant_prepare(void);

/* Afterwards: keeps CAP_NET_RAW, also over the exec, and nothing else. 0 or -errno. */
int grant_net_raw(void);

#endif
