/* notes: what is worth a line in the log, and what is to be read of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "upstream/notes.h"

#define DAY INT64_C(86400)

static void each_failure_is_news_once_in_an_outage(void **state)
{
	struct notes n;

	(void)state;
	notes_init(&n);
	assert_false(notes_is_news(&n, REASON_NONE)); /* it was not down */
	assert_true(notes_is_news(&n, REASON_RESET));
	assert_true(notes_is_news(&n, REASON_DIAL_REFUSED));
	for (unsigned i = 0; i < 10; i++) {
		assert_false(notes_is_news(&n, REASON_RESET));
		assert_false(notes_is_news(&n, REASON_DIAL_REFUSED));
	}
	assert_true(notes_is_news(&n, REASON_NONE));
	assert_false(notes_is_news(&n, REASON_NONE));
	assert_true(notes_is_news(&n, REASON_RESET));
	notes_destroy(&n);
}

static void the_state_is_as_old_as_its_change(void **state)
{
	struct notes n;
	struct notes_text text;

	(void)state;
	notes_init(&n);
	n.text.state_since = 1;
	(void)notes_is_news(&n, REASON_RESET);
	notes_read(&n, &text);
	assert_true(text.state_since > 1);
	n.text.state_since = 1;
	(void)notes_is_news(&n, REASON_DIAL_REFUSED); /* down as before */
	notes_read(&n, &text);
	assert_int_equal(text.state_since, 1);
	(void)notes_is_news(&n, REASON_NONE);
	notes_read(&n, &text);
	assert_true(text.state_since > 1);
	notes_destroy(&n);
}

static void another_pin_is_news_each_time_it_changes(void **state)
{
	struct notes n;

	(void)state;
	notes_init(&n);
	assert_false(notes_pin_is_news(&n, false));
	assert_true(notes_pin_is_news(&n, true));
	assert_false(notes_pin_is_news(&n, true));
	assert_true(notes_pin_is_news(&n, false));
	notes_destroy(&n);
}

static void the_end_of_a_certificate_is_told_once_a_day(void **state)
{
	struct notes n;

	(void)state;
	notes_init(&n);
	assert_false(notes_ends_soon(&n, 0, 90 * DAY, 75 * DAY));
	assert_true(notes_ends_soon(&n, 0, 90 * DAY, 77 * DAY));
	assert_false(notes_ends_soon(&n, 0, 90 * DAY, 77 * DAY + DAY / 2));
	assert_true(notes_ends_soon(&n, 0, 90 * DAY, 78 * DAY));
	/* of one that lives for six days, the last two */
	assert_false(notes_ends_soon(&n, 100 * DAY, 106 * DAY, 103 * DAY));
	assert_true(notes_ends_soon(&n, 100 * DAY, 106 * DAY, 105 * DAY));
	notes_destroy(&n);
}

static void a_bad_address_is_told_of_once_a_minute(void **state)
{
	struct notes n;

	(void)state;
	notes_init(&n);
	assert_true(notes_address_is_news(&n, 20 * DAY));
	assert_false(notes_address_is_news(&n, 20 * DAY + 59));
	assert_true(notes_address_is_news(&n, 20 * DAY + 60));
	assert_true(notes_address_is_news(&n, 10 * DAY)); /* the clock was set back */
	assert_false(notes_address_is_news(&n, 10 * DAY));
	notes_destroy(&n);
}

static void what_was_seen_is_read(void **state)
{
	struct address a;
	struct notes n;
	struct notes_text text;

	(void)state;
	assert_int_equal(address_parse_ip(&a, "192.0.2.1", 9, 853), 0);
	notes_init(&n);
	notes_connected(&n, "TLSv1.3", "TLS_AES_128_GCM_SHA256", true, &a);
	notes_failed(&n, "reset: peer: look at its log");
	notes_read(&n, &text);
	assert_string_equal(text.tls, "TLSv1.3 TLS_AES_128_GCM_SHA256");
	assert_true(text.resumed);
	assert_non_null(strstr(text.address, "192.0.2.1"));
	assert_string_equal(text.failure, "reset: peer: look at its log");
	assert_true(text.connected > 0 && text.failed > 0);
	notes_destroy(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_failure_is_news_once_in_an_outage),
	    cmocka_unit_test(the_state_is_as_old_as_its_change),
	    cmocka_unit_test(another_pin_is_news_each_time_it_changes),
	    cmocka_unit_test(the_end_of_a_certificate_is_told_once_a_day),
	    cmocka_unit_test(a_bad_address_is_told_of_once_a_minute),
	    cmocka_unit_test(what_was_seen_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
