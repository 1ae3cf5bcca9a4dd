/* file: what comes back, how old it is, and what is not believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache/file.h"
#include "dns/message.h"
#include "dns/octets.h"

static const struct hash_key hash = {7, 9};
static const struct answer_limits limits = {
    .ttl_max = 86400, .negative_ttl_max = 3600, .failure_ttl = 5};

#define NOW (1u << 30)
#define WALL 1800000000

static char folder[64];
static char path[80];

static int begin(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/dotgate-cache-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/cache", folder);
	return 0;
}

static int end(void **state)
{
	char bad[96];

	(void)state;
	snprintf(bad, sizeof bad, "%s.bad", path);
	unlink(bad);
	unlink(path);
	return rmdir(folder);
}

/* x.test A 192.0.2.1, TTL 300, for the key of number N; RCODE 2 is a failure. */
static void keep(struct cache *c, unsigned n, unsigned rcode, uint32_t stored)
{
	uint8_t message[] = {0, 0,  0x81, 0x80, 0,   1,	  0,   1,   0,	 0, 0,
			     0, 2,  'a',  'x',	4,   't', 'e', 's', 't', 0, 0,
			     1, 0,  1,	  0xc0, 12,  0,	  1,   0,   1,	 0, 0,
			     1, 44, 0,	  4,	192, 0,	  2,   1};
	uint8_t packed[ANSWER_MAX], octets[QUESTION_KEY_MAX + 1];
	struct cache_key key = {.data = octets};
	struct cache_meta m = {.stored = stored};
	struct answer_life life;
	struct response r;

	message[13] = (uint8_t)('a' + n);
	message[3] = (uint8_t)(0x80 | rcode);
	assert_int_equal(response_read(&r, message, sizeof message), 0);
	m.body_len = (uint16_t)answer_pack(packed, &r, &limits, &life);
	m.ttl = life.ttl;
	m.kind = (uint8_t)life.kind;
	key.len = question_key(&r.question, octets);
	key.hash = cache_hash(hash_bytes(&hash, octets, key.len), 1);
	octets[key.len++] = 1;
	assert_true(cache_put(c, &key, &m, packed, NULL, NULL));
}

static struct cache *make(void)
{
	struct cache *c;

	assert_int_equal(cache_new(&c, 1 << 20), 0);
	return c;
}

static int64_t load(struct cache *c, int64_t later)
{
	const struct cache_load o = {
	    .key = &hash, .limits = limits, .clock = {NOW + 5000, WALL + later}};

	return cache_load(c, path, &o);
}

static void save_three(void)
{
	const struct cache_clock clock = {NOW, WALL};
	struct cache *c = make();

	keep(c, 0, 0, NOW - 100);
	keep(c, 1, 0, NOW - 10);
	keep(c, 2, 2, NOW - 1);
	assert_int_equal(cache_save(c, path, &clock), 2); /* not the failure */
	cache_free(c);
}

struct seen {
	unsigned count;
	uint32_t age[4];
};

static bool look(void *arg, const uint8_t *key, size_t len, const struct cache_meta *m,
		 const uint8_t *body)
{
	struct seen *s = arg;

	(void)body;
	assert_true(len == 14 && m->ttl == 300 && m->kind == ANSWER_POSITIVE);
	s->count++;
	s->age[key[1] - 'a'] = NOW + 5000 - m->stored;
	return true;
}

static void test_ages_go_on(void **state)
{
	struct seen s = {0};
	struct cache *c = make();
	struct stat st;

	(void)state;
	save_three();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(load(c, 50), 2);
	cache_each(c, look, &s);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.age[0], 150);
	assert_int_equal(s.age[1], 60);
	cache_free(c);
}

static void test_a_clock_that_went_back(void **state)
{
	struct seen s = {0};
	struct cache *c = make();

	(void)state;
	save_three();
	assert_int_equal(load(c, -50), 2);
	cache_each(c, look, &s);
	assert_int_equal(s.age[0], 300); /* over: it can only be served stale */
	assert_int_equal(s.age[1], 300);
	cache_free(c);
}

static void test_months_later(void **state)
{
	struct cache *c = make();

	(void)state;
	save_three();
	assert_int_equal(load(c, 90 * 86400), 0);
	cache_free(c);
}

static void test_what_is_there_stays(void **state)
{
	struct seen s = {0};
	struct cache *c = make();

	(void)state;
	save_three();
	keep(c, 0, 0, NOW + 4999);
	assert_int_equal(load(c, 50), 1);
	cache_each(c, look, &s);
	assert_int_equal(s.age[0], 1);
	cache_free(c);
}

static void test_no_file(void **state)
{
	struct cache *c = make();

	(void)state;
	assert_int_equal(load(c, 0), -ENOENT);
	cache_free(c);
	save_three();
}

static size_t slurp(uint8_t *data, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(data, 1, cap, f);
	fclose(f);
	return n;
}

static void spill(const uint8_t *data, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
	chmod(path, 0600);
}

/* Each octet changed, and each shorter file, is found out, and set aside. */
static void test_damage(void **state)
{
	uint8_t data[1024];
	char bad[96];
	struct cache *c = make();
	size_t len;

	(void)state;
	save_three();
	len = slurp(data, sizeof data);
	snprintf(bad, sizeof bad, "%s.bad", path);
	for (size_t i = 0; i < len; i++) {
		int64_t r;

		data[i] ^= 0x55;
		spill(data, len);
		r = load(c, 0);
		assert_true(r == -EBADMSG || r == -EPROTO);
		assert_int_equal(access(path, F_OK), -1);
		assert_int_equal(access(bad, F_OK), 0);
		data[i] ^= 0x55;
		spill(data, i);
		assert_int_equal(load(c, 0), -EBADMSG);
	}
	assert_int_equal(cache_stats(c).entries, 0);
	spill(data, len);
	assert_int_equal(load(c, 0), 2);
	cache_free(c);
}

static void test_too_large(void **state)
{
	struct cache *c = make();

	(void)state;
	save_three();
	assert_int_equal(truncate(path, 2 << 20), 0);
	assert_int_equal(load(c, 0), -EFBIG);
	cache_free(c);
	save_three();
}

static void test_whose_file(void **state)
{
	char link[96];
	struct cache *c = make();

	(void)state;
	save_three();
	chmod(path, 0666);
	assert_int_equal(load(c, 0), -EPERM);
	assert_int_equal(access(path, F_OK), 0);
	chmod(path, 0600);
	snprintf(link, sizeof link, "%s.real", path);
	assert_int_equal(rename(path, link), 0);
	assert_int_equal(symlink(link, path), 0);
	assert_int_equal(load(c, 0), -EPERM);
	unlink(path);
	assert_int_equal(rename(link, path), 0);
	cache_free(c);
}

static void test_cannot_be_saved(void **state)
{
	const struct cache_clock clock = {NOW, WALL};
	struct cache *c = make();

	(void)state;
	assert_int_equal(cache_save(c, "/proc/none/cache", &clock), -ENOENT);
	assert_true(strlen(cache_file_error(-ENOENT)) > 0);
	cache_free(c);
	save_three();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ages_go_on, begin, end),
	    cmocka_unit_test_setup_teardown(test_a_clock_that_went_back, begin, end),
	    cmocka_unit_test_setup_teardown(test_months_later, begin, end),
	    cmocka_unit_test_setup_teardown(test_what_is_there_stays, begin, end),
	    cmocka_unit_test_setup_teardown(test_no_file, begin, end),
	    cmocka_unit_test_setup_teardown(test_damage, begin, end),
	    cmocka_unit_test_setup_teardown(test_too_large, begin, end),
	    cmocka_unit_test_setup_teardown(test_whose_file, begin, end),
	    cmocka_unit_test_setup_teardown(test_cannot_be_saved, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
