/* value: one option's value, from text and back. */
#ifndef DOTGATE_CONF_VALUE_H
#define DOTGATE_CONF_VALUE_H

#include "conf/config.h"
#include "conf/fault.h"

/* Octets of a value's text. The longest is a route. */
#define VALUE_TEXT_MAX (NAME_TEXT_MAX + UPSTREAM_TEXT_MAX)

struct option;

/* How the values of one kind of option are read and written. */
struct value_kind {
	/* Puts what TEXT says into C. Returns 0, or -EINVAL with the fault set. */
	int (*read)(struct config *c, const struct option *o, const char *text,
		    struct fault *f);
	/* The value, or the I-th of a list, as a text that reads back as the same. False:
	 * there is none. */
	bool (*text)(const struct config *c, const struct option *o, unsigned i,
		     char out[VALUE_TEXT_MAX]);
	/* True if entries I and J of a list mean the same. NULL: the option is no list.
	 */
	bool (*same)(const struct config *c, unsigned i, unsigned j);
};

/*
 * Listen addresses: ADDRESS, ADDRESS:PORT, [IPV6]:PORT, port 53 if none is given. A bare
 * PORT or :PORT is 127.0.0.1 and ::1, this machine only; *:PORT is 0.0.0.0 and ::, all
 * addresses.
 */
extern const struct value_kind value_listen;
extern const struct value_kind value_upstream; /* see spelling.h */
extern const struct value_kind
    value_discover; /* ADDRESS or ADDRESS:PORT, 53 if none is given */
extern const struct value_kind value_bootstrap; /* the same, with an address */
extern const struct value_kind value_http;	/* ADDRESS:PORT, or off */
extern const struct value_kind value_path;
extern const struct value_kind value_tls_min;
extern const struct value_kind value_half;    /* half (0), or a number */
extern const struct value_kind value_workers; /* auto, or a number */
extern const struct value_kind value_switch;  /* bool: on, off */
extern const struct value_kind value_level;
extern const struct value_kind value_count; /* a number from o->min to o->max */
/* A whole number with ms, s, m, h or d, or without, which is seconds; from o->min to
 * o->max microseconds. */
extern const struct value_kind value_size; /* uint64_t: octets; 0, or from min to max */
extern const struct value_kind value_time;

#endif
