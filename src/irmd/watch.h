/*
 * watch.h - notices that something in <config-dir>/security/ has changed: by inotify on its directories, and by looking
 * again now and then, for what inotify does not see (network file systems, files behind symbolic links) or where there
 * is no inotify. What has changed is not said: the reader reads all.
 *
 * Changes come in bursts (a certificate, then its key): the call comes when there was quiet for a moment, but no later
 * than some moments after the first.
 */
#ifndef O7S_IRMD_WATCH_H
#define O7S_IRMD_WATCH_H

#include <uv.h>

struct watch;

/* @changed is called on the loop. NULL: out of memory. */
struct watch *watch_open(uv_loop_t *loop, void (*changed)(void *ctx), void *ctx);

/* The loop must turn once more to free it. Takes NULL. */
void watch_close(struct watch *w);

/*
 * Watches every directory that there is now of @dir/security, and @dir itself: to be called before each reading, by the
 * reader (any thread), so that no change falls between the two.
 */
void watch_tree(struct watch *w, const char *dir);

#endif
