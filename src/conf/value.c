/* value: one option's value, from text and back. */
#include "conf/value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conf/endpoint.h"
#include "conf/parameter.h"
#include "conf/spelling.h"
#include "conf/suggest.h"
#include "conf/table.h"

/* Digits of a number; more are beyond every option's limit. */
#define DIGITS_MAX 12

/* Octets of a time's text: 20 digits, the unit and the end. */
#define TIME_TEXT_MAX 24

#define SECOND UINT64_C(1000000)

static const struct unit {
	const char *word;
	uint64_t us;
} units[] = {
    {"d", 86400 * SECOND}, {"h", 3600 * SECOND},  {"m", 60 * SECOND},
    {"s", SECOND},	   {"ms", SECOND / 1000},
};
#define UNITS (sizeof units / sizeof units[0])

/* Takes the digits in front off REST. False if there are none or too many. */
static bool read_digits(uint64_t *out, struct span *rest)
{
	unsigned digits = 0;
	uint64_t value = 0;

	while (rest->len > 0 && *rest->at >= '0' && *rest->at <= '9') {
		if (++digits > DIGITS_MAX)
			return false;
		value = value * 10 + (uint64_t)(*rest->at - '0');
		rest->at++;
		rest->len--;
	}
	*out = value;
	return digits > 0;
}

static int read_count(struct config *c, const struct option *o, const char *text,
		      struct fault *f)
{
	struct span rest = span_of(text);
	uint64_t value;

	if (!read_digits(&value, &rest) || rest.len > 0 || value < o->min ||
	    value > o->max)
		return fault_set(f, text,
				 "'%.255s' is not a number from %" PRIu64 " to %" PRIu64,
				 text, o->min, o->max);
	*(unsigned *)option_field(c, o) = (unsigned)value;
	return 0;
}

static bool count_text(const struct config *c, const struct option *o, unsigned i,
		       char out[VALUE_TEXT_MAX])
{
	snprintf(out, VALUE_TEXT_MAX, "%u", *(const unsigned *)option_field_const(c, o));
	return i == 0;
}

static int read_workers(struct config *c, const struct option *o, const char *text,
			struct fault *f)
{
	if (strcmp(text, "auto") == 0) {
		c->workers = 0;
		return 0;
	}
	if (read_count(c, o, text, f) != 0)
		return fault_set(f, text,
				 "'%.255s' is neither auto nor a number from %" PRIu64
				 " to %" PRIu64,
				 text, o->min, o->max);
	return 0;
}

static bool workers_text(const struct config *c, const struct option *o, unsigned i,
			 char out[VALUE_TEXT_MAX])
{
	if (c->workers > 0)
		return count_text(c, o, i, out);
	strcpy(out, "auto");
	return i == 0;
}

/* A cap that is half of what there is, or a number. */
static int read_half(struct config *c, const struct option *o, const char *text,
		     struct fault *f)
{
	if (strcmp(text, "half") != 0)
		return read_count(c, o, text, f);
	*(unsigned *)option_field(c, o) = 0;
	return 0;
}

static bool half_text(const struct config *c, const struct option *o, unsigned i,
		      char out[VALUE_TEXT_MAX])
{
	if (*(const unsigned *)option_field_const(c, o) > 0)
		return count_text(c, o, i, out);
	strcpy(out, "half");
	return i == 0;
}

/* Units of sizes, each 1,024 times the one before. */
static const char *const size_units[] = {"", "K", "M", "G"};
#define SIZE_UNITS (sizeof size_units / sizeof size_units[0])

/* The binary logarithm of a unit; 0: there is no such unit. */
static unsigned size_shift(struct span unit)
{
	for (unsigned i = 1; i < SIZE_UNITS; i++)
		if (span_is_nocase(unit, size_units[i]))
			return 10 * i;
	return 0;
}

static int read_size(struct config *c, const struct option *o, const char *text,
		     struct fault *f)
{
	struct span rest = span_of(text);
	uint64_t value = 0;
	bool off = span_is(rest, "off");
	bool good = off || read_digits(&value, &rest);

	if (good && !off && rest.len > 0) {
		unsigned shift = size_shift(rest);

		good = shift > 0 && value <= UINT64_MAX >> shift;
		value = good ? value << shift : 0;
	}
	if (!good || (value != 0 && (value < o->min || value > o->max)))
		return fault_set(f, text,
				 "'%.255s' is neither 0 nor a size from %" PRIu64
				 "K to %" PRIu64 "G, such as 64M",
				 text, o->min >> 10, o->max >> 30);
	*(uint64_t *)option_field(c, o) = value;
	return 0;
}

static bool size_text(const struct config *c, const struct option *o, unsigned i,
		      char out[VALUE_TEXT_MAX])
{
	uint64_t size = *(const uint64_t *)option_field_const(c, o);
	unsigned unit = 0;

	while (size && unit + 1 < SIZE_UNITS && size % 1024 == 0) {
		size /= 1024;
		unit++;
	}
	snprintf(out, VALUE_TEXT_MAX, "%" PRIu64 "%s", size, size_units[unit]);
	return i == 0;
}

/* With the greatest unit that divides US without a rest. */
static void time_to_text(uint64_t us, char out[TIME_TEXT_MAX])
{
	size_t u = 0;

	while (u + 1 < UNITS && us % units[u].us != 0)
		u++;
	if (us == 0)
		strcpy(out, "0s");
	else
		snprintf(out, TIME_TEXT_MAX, "%" PRIu64 "%s", us / units[u].us,
			 units[u].word);
}

/* The microseconds of a unit; 0 if there is no such unit. A bare number is seconds. */
static uint64_t unit_us(struct span word)
{
	for (size_t i = 0; i < UNITS; i++)
		if (span_is(word, units[i].word))
			return units[i].us;
	return word.len == 0 ? SECOND : 0;
}

static int read_time(struct config *c, const struct option *o, const char *text,
		     struct fault *f)
{
	struct span rest = span_of(text);
	char min[TIME_TEXT_MAX], max[TIME_TEXT_MAX];
	uint64_t value;

	if (o->min == 0 && span_is(rest, "off")) {
		*(uint64_t *)option_field(c, o) = 0;
		return 0;
	}
	if (!read_digits(&value, &rest))
		return fault_set(f, text, "'%.255s' is no time: write 500ms, 5s or 1m",
				 text);
	if (unit_us(rest) == 0)
		return fault_set(f, rest.at,
				 "'%.255s' is no unit: write ms, s, m, h or d", rest.at);
	if (__builtin_mul_overflow(value, unit_us(rest), &value) || value < o->min ||
	    value > o->max) {
		time_to_text(o->min, min);
		time_to_text(o->max, max);
		return fault_set(f, text, "'%.255s' is not from %s to %s%s", text, min,
				 max, rest.len ? "" : " (without a unit it is seconds)");
	}
	*(uint64_t *)option_field(c, o) = value;
	return 0;
}

static bool time_text(const struct config *c, const struct option *o, unsigned i,
		      char out[VALUE_TEXT_MAX])
{
	time_to_text(*(const uint64_t *)option_field_const(c, o), out);
	return i == 0;
}

static int read_path(struct config *c, const struct option *o, const char *text,
		     struct fault *f)
{
	return parameter_read_path(option_field(c, o), span_of(text), f);
}

static bool path_text(const struct config *c, const struct option *o, unsigned i,
		      char out[VALUE_TEXT_MAX])
{
	snprintf(out, VALUE_TEXT_MAX, "%.*s", CONF_PATH_MAX,
		 (const char *)option_field_const(c, o));
	return i == 0 && out[0];
}

static int read_tls_min(struct config *c, const struct option *o, const char *text,
			struct fault *f)
{
	(void)o;
	return parameter_read_tls_min(&c->tls13_only, span_of(text), f);
}

static bool tls_min_text(const struct config *c, const struct option *o, unsigned i,
			 char out[VALUE_TEXT_MAX])
{
	(void)o;
	strcpy(out, c->tls13_only ? "1.3" : "1.2");
	return i == 0;
}

static int read_switch(struct config *c, const struct option *o, const char *text,
		       struct fault *f)
{
	bool on = strcmp(text, "on") == 0;

	if (!on && strcmp(text, "off") != 0)
		return fault_set(f, text, "'%.255s' is neither on nor off", text);
	*(bool *)option_field(c, o) = on;
	return 0;
}

static bool switch_text(const struct config *c, const struct option *o, unsigned i,
			char out[VALUE_TEXT_MAX])
{
	strcpy(out, *(const bool *)option_field_const(c, o) ? "on" : "off");
	return i == 0;
}

static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
#define LEVELS (sizeof levels / sizeof levels[0])

static int read_level(struct config *c, const struct option *o, const char *text,
		      struct fault *f)
{
	char nearest[SUGGEST_TEXT_MAX];

	(void)o;
	for (unsigned i = 0; i < LEVELS; i++)
		if (strcmp(text, levels[i]) == 0) {
			c->log_level = (enum log_level)i;
			return 0;
		}
	return fault_set(f, text,
			 "'%.255s' is no level (error, warning, notice, info, debug)%s",
			 text, suggest_text(span_of(text), levels, LEVELS, nearest));
}

static bool level_text(const struct config *c, const struct option *o, unsigned i,
		       char out[VALUE_TEXT_MAX])
{
	(void)o;
	strcpy(out, levels[c->log_level]);
	return i == 0;
}

static int read_upstream(struct config *c, const struct option *o, const char *text,
			 struct fault *f)
{
	size_t column;

	(void)o;
	if (c->upstream_count == UPSTREAMS_MAX)
		return fault_set(f, text, "more than %d upstreams", UPSTREAMS_MAX);
	if (spelling_read(&c->upstream[c->upstream_count], text, f->text, &column) != 0) {
		f->column = column;
		return -EINVAL;
	}
	c->upstream_count++;
	return 0;
}

static bool upstream_value_text(const struct config *c, const struct option *o,
				unsigned i, char out[VALUE_TEXT_MAX])
{
	(void)o;
	if (i >= c->upstream_count)
		return false;
	upstream_text(&c->upstream[i], true, out);
	return true;
}

/* The short text names an upstream in log and metrics, so only one can have it. */
static bool same_upstream(const struct config *c, unsigned i, unsigned j)
{
	char a[UPSTREAM_TEXT_MAX], b[UPSTREAM_TEXT_MAX];

	return strcmp(upstream_text(&c->upstream[i], false, a),
		      upstream_text(&c->upstream[j], false, b)) == 0;
}

static int read_discover(struct config *c, const struct option *o, const char *text,
			 struct fault *f)
{
	struct upstream_conf *u = &c->discover[c->discover_count];
	struct endpoint e;

	(void)o;
	if (c->discover_count == DISCOVER_MAX)
		return fault_set(f, text, "more than %d of them", DISCOVER_MAX);
	memset(u, 0, sizeof *u);
	if (endpoint_split(&e, span_of(text), f) != 0)
		return -EINVAL;
	if (!endpoint_is_ip(&e))
		return fault_set(f, text, "write the IP address of a resolver");
	if (endpoint_address(&u->addresses[0], &e, 53, f) != 0)
		return -EINVAL;
	u->discover = true;
	u->address_count = u->weight = 1;
	u->port = address_port(&u->addresses[0]);
	c->discover_count++;
	return 0;
}

static bool discover_text(const struct config *c, const struct option *o, unsigned i,
			  char out[VALUE_TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];

	(void)o;
	if (i >= c->discover_count)
		return false;
	snprintf(out, VALUE_TEXT_MAX, "%s",
		 address_text(&c->discover[i].addresses[0], text));
	return true;
}

static bool same_discover(const struct config *c, unsigned i, unsigned j)
{
	return address_equal(&c->discover[i].addresses[0], &c->discover[j].addresses[0]);
}

static int read_bootstrap(struct config *c, const struct option *o, const char *text,
			  struct fault *f)
{
	size_t column;

	(void)o;
	if (c->bootstrap_count == BOOTSTRAP_MAX)
		return fault_set(f, text, "more than %d of them", BOOTSTRAP_MAX);
	if (spelling_read(&c->bootstrap[c->bootstrap_count], text, f->text, &column) !=
	    0) {
		f->column = column;
		return -EINVAL;
	}
	if (!c->bootstrap[c->bootstrap_count].address_count)
		return fault_set(f, text,
				 "it must have an address: write tls://ADDRESS#NAME");
	c->bootstrap_count++;
	return 0;
}

static bool bootstrap_text(const struct config *c, const struct option *o, unsigned i,
			   char out[VALUE_TEXT_MAX])
{
	(void)o;
	if (i >= c->bootstrap_count)
		return false;
	upstream_text(&c->bootstrap[i], true, out);
	return true;
}

static bool same_bootstrap(const struct config *c, unsigned i, unsigned j)
{
	char a[UPSTREAM_TEXT_MAX], b[UPSTREAM_TEXT_MAX];

	return strcmp(upstream_text(&c->bootstrap[i], false, a),
		      upstream_text(&c->bootstrap[j], false, b)) == 0;
}

const struct value_kind value_discover = {read_discover, discover_text, same_discover};
const struct value_kind value_bootstrap = {read_bootstrap, bootstrap_text,
					   same_bootstrap};
const struct value_kind value_count = {read_count, count_text, NULL};
const struct value_kind value_half = {read_half, half_text, NULL};
const struct value_kind value_workers = {read_workers, workers_text, NULL};
const struct value_kind value_size = {read_size, size_text, NULL};
const struct value_kind value_time = {read_time, time_text, NULL};
const struct value_kind value_path = {read_path, path_text, NULL};
const struct value_kind value_tls_min = {read_tls_min, tls_min_text, NULL};
const struct value_kind value_switch = {read_switch, switch_text, NULL};
const struct value_kind value_level = {read_level, level_text, NULL};
const struct value_kind value_upstream = {read_upstream, upstream_value_text,
					  same_upstream};
