/* netwatch: which datagrams matter, and that broken ones do no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "os/netwatch.h"

/* Judges LEN octets in a buffer of exactly that length, so that a read beyond it is seen. */
static bool judge(const void *data, size_t len)
{
	void *copy = malloc(len ? len : 1);
	bool matters;

	assert_non_null(copy);
	memcpy(copy, data, len);
	matters = netwatch_matters(copy, len);
	free(copy);
	return matters;
}

static void types_decide(void **state)
{
	struct nlmsghdr h = {.nlmsg_len = sizeof h};

	(void)state;
	h.nlmsg_type = RTM_NEWROUTE;
	assert_true(judge(&h, sizeof h));
	h.nlmsg_type = RTM_DELADDR;
	assert_true(judge(&h, sizeof h));
	h.nlmsg_type = RTM_NEWNEIGH;
	assert_false(judge(&h, sizeof h));
	h.nlmsg_type = NLMSG_DONE;
	assert_false(judge(&h, sizeof h));
}

static void the_second_message_counts(void **state)
{
	struct nlmsghdr h[2] = {{.nlmsg_len = sizeof *h, .nlmsg_type = RTM_NEWNEIGH},
				{.nlmsg_len = sizeof *h, .nlmsg_type = RTM_NEWADDR}};

	(void)state;
	assert_true(judge(h, sizeof h));
	assert_false(judge(h, sizeof h - 1)); /* it is cut off */
}

static void lengths_that_lie_are_survived(void **state)
{
	static const uint32_t lengths[] = {0, 1, 15, 17, 31, 33, 0x7fffffff, 0xffffffff};
	struct nlmsghdr h[2] = {{.nlmsg_type = RTM_NEWNEIGH},
				{.nlmsg_type = RTM_NEWNEIGH}};

	(void)state;
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		h[0].nlmsg_len = lengths[i];
		for (size_t len = 0; len <= sizeof h; len++)
			assert_false(judge(h, len));
	}
}

static void a_socket_can_be_had_and_is_quiet(void **state)
{
	int fd = netwatch_open();

	(void)state;
	if (fd < 0)
		skip();	   /* no netlink here */
	netwatch_read(fd); /* must not block */
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(types_decide),
	    cmocka_unit_test(the_second_message_counts),
	    cmocka_unit_test(lengths_that_lie_are_survived),
	    cmocka_unit_test(a_socket_can_be_had_and_is_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
