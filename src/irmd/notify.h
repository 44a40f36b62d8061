/* notify.h - telling the service manager how we are (sd_notify(3), without the library). */
#ifndef O7S_IRMD_NOTIFY_H
#define O7S_IRMD_NOTIFY_H

/* Sends @state, for example "READY=1", to $NOTIFY_SOCKET if there is one. */
void notify_manager(const char *state);

#endif
