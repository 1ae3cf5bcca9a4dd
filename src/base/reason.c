/* reason: the table behind the words. */
#include "base/reason.h"

#include <stddef.h>

static const struct {
	const char *word;
	const char *remedy;
	uint16_t ede;
} table[REASON_N] = {
#define X(name, word, ede, remedy) [REASON_##name] = {word, remedy, ede},
    REASONS(X)
#undef X
};

const char *reason_word(enum reason r)
{
	return table[r].word;
}

uint16_t reason_ede(enum reason r)
{
	return table[r].ede;
}

const char *reason_remedy(enum reason r)
{
	return table[r].remedy;
}

bool reason_is_authentication(enum reason r)
{
	return r >= REASON_TLS_PROTOCOL && r <= REASON_TLS_ALERT;
}

const char *reason_stage(enum reason r)
{
	if (r >= REASON_DIAL_REFUSED && r <= REASON_DIAL_ERROR)
		return "dial";
	if (r >= REASON_TLS_TIMEOUT && r <= REASON_TLS_ALERT)
		return "tls";
	return "exchange";
}
