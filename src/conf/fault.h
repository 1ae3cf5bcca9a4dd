/* fault: what is wrong with a text that somebody wrote, and where in it. */
#ifndef DOTGATE_CONF_FAULT_H
#define DOTGATE_CONF_FAULT_H

#include <stdbool.h>
#include <stddef.h>

/* Two quotations and what is said of them; or the command that makes a pin. */
#define FAULT_TEXT_MAX 768

struct fault {
	const char *base; /* the text that is read */
	size_t column;	  /* of the fault, from 0 */
	char text[FAULT_TEXT_MAX];
};

/* A part of a text that ends without a 0. */
struct span {
	const char *at; /* NULL: there is no such part */
	size_t len;
};

/* Records the fault at AT, which points into f->base. Returns -EINVAL. */
int fault_set(struct fault *f, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fails, with the fault set, at the first control character but a tab in TEXT. */
int fault_check_text(struct fault *f, const char *text);

/* The length to quote for "%.*s": texts that are too long to be read are cut. */
int span_shown(struct span s);

struct span span_of(const char *text);

/* Cuts S in front of the first C; what follows C goes into AFTER. False if there is no C.
 */
bool span_cut(struct span *s, char c, struct span *after);

/* The next word of REST between blanks, which is taken off; at NULL: no more. */
struct span span_word(struct span *rest);

bool span_is(struct span s, const char *text);
bool span_is_nocase(struct span s, const char *text);

/* Copies S with an end into OUT of CAP octets. False if it does not fit. */
bool span_copy(char *out, size_t cap, struct span s);

#endif
