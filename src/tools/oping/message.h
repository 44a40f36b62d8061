/*
 * message.h - a ping: what the client recognises it by when it comes back, and padding. The server looks at
 * none of it.
 *
 *     | magic 32 | number 64 | sent 64, ns of the client's clock | padding |    big-endian
 */
#ifndef O7S_TOOLS_OPING_MESSAGE_H
#define O7S_TOOLS_OPING_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MIN 20u

struct message {
        uint64_t seq;
        int64_t  sent_ns;
};

/* @buf has MESSAGE_MIN bytes. */
void message_put(uint8_t *buf, const struct message *m);

/* False: @len bytes at @buf are no ping. */
bool message_get(const uint8_t *buf, size_t len, struct message *m);

#endif
