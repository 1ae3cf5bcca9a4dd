/* spelling: whatever is read is written back as a text that reads as the same upstream. */
#include "fuzz.h"

#include <string.h>

#include "conf/spelling.h"

static void check_round_trip(const struct upstream_conf *u)
{
	char text[UPSTREAM_TEXT_MAX], again[UPSTREAM_TEXT_MAX];
	char error[SPELLING_ERROR_MAX];
	struct upstream_conf v;
	size_t column;

	upstream_text(u, true, text);
	CHECK(spelling_read(&v, text, error, &column) == 0);
	CHECK(u->address_count == v.address_count && u->port == v.port &&
	      u->plain == v.plain);
	for (unsigned i = 0; i < u->address_count; i++)
		CHECK(address_equal(&u->addresses[i], &v.addresses[i]));
	CHECK(u->auth == v.auth && u->tls13_only == v.tls13_only);
	CHECK(strcmp(u->name, v.name) == 0);
	CHECK(strcmp(u->ca_file, v.ca_file) == 0 && strcmp(u->ca_dir, v.ca_dir) == 0);
	CHECK(u->pin_count == v.pin_count);
	CHECK(memcmp(u->pins, v.pins, sizeof u->pins) == 0);
	CHECK(strcmp(upstream_text(&v, true, again), text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	char error[SPELLING_ERROR_MAX];
	struct upstream_conf u;
	size_t column = SIZE_MAX;

	CHECK(text != NULL);
	memcpy(text, data, len);
	text[len] = 0;
	if (spelling_read(&u, text, error, &column) == 0) {
		CHECK(u.auth != TLS_AUTH_PIN || u.pin_count > 0);
		CHECK(u.auth != TLS_AUTH_NONE || u.pin_count == 0);
		check_round_trip(&u);
	} else {
		CHECK(column <= strlen(text));
		CHECK(error[0] && memchr(error, 0, sizeof error));
	}
	free(text);
	return 0;
}
