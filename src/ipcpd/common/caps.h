/* caps.h - the privileges of this process, which needs them for a moment only. */
#ifndef O7S_IPCPD_COMMON_CAPS_H
#define O7S_IPCPD_COMMON_CAPS_H

/*
 * Gives up every capability of the calling thread (and of those that it starts), for good: nothing that it
 * executes gets one back. 0 or -errno.
 */
int caps_drop(void);

#endif
