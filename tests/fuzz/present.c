/* present: the data of a record as text. The first two octets are the type, the third is where the data
 * begins behind the header of the message that follows. */
#include "fuzz.h"

#include <string.h>

#include "dns/message.h"
#include "dns/present.h"

/* As much as the cache may hold. */
#define INPUT_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char text[4 * INPUT_MAX];
	struct writer w = writer_make(text, sizeof text);
	struct cursor c;
	size_t data_len;

	if (len < 3 + DNS_HEADER_LEN || len > INPUT_MAX)
		return 0;
	c = cursor_make(data + 3, len - 3);
	cursor_skip(&c, DNS_HEADER_LEN + (size_t)data[2]);
	if (c.bad)
		return 0;
	data_len = cursor_left(&c);
	present_data(&w, &c, data_len, (uint16_t)(data[0] << 8 | data[1]), CLASS_IN);
	CHECK(!c.bad && cursor_left(&c) == 0 && !w.full && w.pos > 0);
	for (size_t i = 0; i < w.pos; i++)
		CHECK(text[i] >= ' ' && text[i] < 0x7f);
	return 0;
}
