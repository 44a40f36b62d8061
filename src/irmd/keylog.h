/*
 * keylog.h - the file with the secrets of encrypted flows, for who looks at captured packets (share/wireshark). There
 * is none unless who started the daemon asked for it on its command line (--key-log): no request, no variable of the
 * environment and no file of configuration can.
 *
 * One line for each end of a flow that comes up, in hex:
 *
 *     O7S1 <OAP id, 16 bytes> <secret of client to server, 48> <secret of server to client, 48>
 */
#ifndef O7S_IRMD_KEYLOG_H
#define O7S_IRMD_KEYLOG_H

#include <stdint.h>

struct oap_keys;

/*
 * A descriptor to append to @path, which is made with mode 0600. It must be a regular file with one name, be owned by
 * who we are now (root, if called before root is given up) and closed to everybody else: else -EPERM. -ELOOP: a
 * symbolic link; or another -errno. A line in the log says what is wrong, or that flows can be decrypted from now on.
 */
int keylog_open(const char *path);

/* One line. @fd may be -1: then nothing is done. */
void keylog_write(int fd, const uint8_t *oap_id, const struct oap_keys *k);

#endif
