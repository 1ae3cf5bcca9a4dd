/* overload: what is logged of a burst, and of whom. The clock is turned by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "proxy/overload.h"

#define S 1000000ull

static uint64_t now;

uint64_t loop_now(const struct loop *l)
{
	(void)l;
	return now;
}

int timer_set(struct loop *l, struct timer *t, uint64_t due, timer_fn *fn, void *arg)
{
	(void)l;
	t->due = due;
	t->item.fn = fn;
	t->item.arg = arg;
	t->item.slot = 1;
	return 0;
}

void timer_stop(struct loop *l, struct timer *t)
{
	(void)l;
	t->item.slot = 0;
}

/* Lets US pass. Returns what was logged, until the next call. */
static const char *pass(struct overload *o, uint64_t us)
{
	static char text[2048];
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(file);
	dup2(fileno(file), STDERR_FILENO);
	now += us;
	if (timer_running(&o->timer) && o->timer.due <= now) {
		o->timer.item.slot = 0;
		o->timer.item.fn(o->timer.item.arg);
	}
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	n = fread(text, 1, sizeof text - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static void blame(struct overload *o, const char *ip, unsigned percent)
{
	struct address a;
	struct host h;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), 4711), 0);
	h = host_of(&a);
	overload_blame(o, &h, percent);
}

#define assert_has(text, part) assert_non_null(strstr(text, part))
#define assert_has_not(text, part) assert_null(strstr(text, part))

static void test_once_a_burst(void **state)
{
	struct overload o;
	const char *text;

	(void)state;
	overload_init(&o, NULL, false);
	for (unsigned i = 0; i < 1000; i++)
		overload_refused(&o);
	assert_string_equal(pass(&o, S / 2), "");
	overload_refused(&o);
	text = pass(&o, S / 2);
	assert_has(text,
		   "reason=overload: 1001 queries of clients were refused within 1 s");
	assert_has_not(text, "under way");
	overload_refused(&o);
	assert_string_equal(pass(&o, 59 * S), "");
	assert_has(pass(&o, S), "1 queries of clients were refused within 60 s");
	assert_string_equal(pass(&o, 60 * S), "");
	assert_false(timer_running(&o.timer));
	overload_refused(&o);
	assert_has(pass(&o, S), "within 1 s");
	overload_stop(&o);
	assert_false(timer_running(&o.timer));
}

/* An address is in the log only if the operator allows it. */
static void test_the_heaviest(void **state)
{
	struct overload o;
	const char *text;

	(void)state;
	overload_init(&o, NULL, false);
	overload_refused(&o);
	blame(&o, "192.0.2.7", 83);
	text = pass(&o, S);
	assert_has(text, "one client has 83 % of what is under way");
	assert_has_not(text, "192.0.2");
	overload_init(&o, NULL, true);
	overload_refused(&o);
	blame(&o, "192.0.2.6", 10);
	blame(&o, "192.0.2.7", 83);
	assert_has(pass(&o, S), "; 192.0.2.7 has 83 % of what is under way");
	overload_refused(&o); /* who it is now is not known */
	assert_has_not(pass(&o, 60 * S), "192.0.2");
	overload_refused(&o);
	blame(&o, "2001:db8:1:2345::9", 50);
	assert_has(pass(&o, 60 * S),
		   "; 2001:db8:1:2300::/56 has 50 % of what is under way");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_once_a_burst),
	    cmocka_unit_test(test_the_heaviest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
