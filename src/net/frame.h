/* frame: DNS messages in a byte stream, each behind its length in two octets (RFC
 * 1035 4.2.2). */
#ifndef DOTGATE_NET_FRAME_H
#define DOTGATE_NET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER 2
#define FRAME_MAX (FRAME_HEADER + 65535)

/*
 * Takes the next whole message from DATA[*POS .. LEN): true sets *MESSAGE and
 * *MESSAGE_LEN (0 for an empty frame) and moves *POS behind it; false means that more
 * octets are needed and moves nothing.
 */
static inline bool frame_next(const uint8_t *data, size_t len, size_t *pos,
			      const uint8_t **message, size_t *message_len)
{
	if (len - *pos < FRAME_HEADER)
		return false;

	size_t n = (size_t)data[*pos] << 8 | data[*pos + 1];

	if (len - *pos - FRAME_HEADER < n)
		return false;
	*message = data + *pos + FRAME_HEADER;
	*message_len = n;
	*pos += FRAME_HEADER + n;
	return true;
}

/* Writes the length in front of a message of N octets. */
static inline void frame_put_length(uint8_t *frame, size_t n)
{
	frame[0] = (uint8_t)(n >> 8);
	frame[1] = (uint8_t)n;
}

#endif
