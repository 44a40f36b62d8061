/*
 * spawner.h - the small process that keeps the right to start programs as other users, and to see what
 * program a process runs, while irmd gives all rights up.
 *
 * It is forked before irmd opens anything, reads requests (spawn.proto) from one socketpair, and does nothing
 * else: no network, no files of users, no loop library. It is the parent of all IPCPs and started programs,
 * reaps them, and reports their end. It ends when irmd does.
 */
#ifndef O7S_IRMD_SPAWNER_H
#define O7S_IRMD_SPAWNER_H

#include <sys/types.h>

/* Who irmd itself is going to be, for programs that run as it; and where the only ones lie that may open packet sockets. */
struct spawner_user {
        uid_t       uid;
        gid_t       gid;
        const char *ipcp_dir;
};

/* Forks the spawner. Returns irmd's end of the socketpair, or -errno. */
int spawner_fork(const struct spawner_user *self);

#endif
