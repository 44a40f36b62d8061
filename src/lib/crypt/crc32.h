/*
 * crc32.h - the checksum of plain flows that leave the host and were asked to lose packets rather than damage them (a
 * QoS with ber 0): CRC-32 as in Ethernet (ISO 3309), over the whole packet, big-endian behind it.
 *
 * It finds accidents, not forgeries: encrypted flows have a tag instead.
 */
#ifndef O7S_CRYPT_CRC32_H
#define O7S_CRYPT_CRC32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRC32_LEN 4u

/* Writes the checksum of @len bytes to @out. Thread safe. */
void crc32_put(const void *data, size_t len, uint8_t out[CRC32_LEN]);

/* Whether the last CRC32_LEN of @len bytes are the checksum of those before; not if there are none before. */
bool crc32_ok(const uint8_t *data, size_t len);

#endif
