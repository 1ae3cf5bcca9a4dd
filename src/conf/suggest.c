/* suggest: the known word that a mistyped one was meant to be. */
#include "conf/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Longer words are not compared; no known one is. */
#define WORD_MAX 40

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Edits from A to B (optimal string alignment), by three rows of its table. */
static unsigned distance(struct span a, struct span b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *two = rows[0], *one = rows[1], *now = rows[2];

	for (unsigned j = 0; j <= b.len; j++)
		one[j] = two[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned *free_row = two;

		now[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned change = same(a.at[i - 1], b.at[j - 1]) ? 0 : 1;

			now[j] = min3(one[j] + 1, now[j - 1] + 1, one[j - 1] + change);
			if (i > 1 && j > 1 && same(a.at[i - 1], b.at[j - 2]) &&
			    same(a.at[i - 2], b.at[j - 1]) && two[j - 2] + 1 < now[j])
				now[j] = two[j - 2] + 1;
		}
		two = one;
		one = now;
		now = free_row;
	}
	return one[b.len];
}

const char *suggest_nearest(struct span word, const char *const *known, size_t n)
{
	/* a third of the letters may be wrong: more, and any word would do */
	unsigned best = (unsigned)word.len / 3 + 1;
	const char *nearest = NULL;

	if (word.len == 0 || word.len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct span k = span_of(known[i]);
		unsigned d = k.len <= WORD_MAX ? distance(word, k) : best;

		if (d < best) {
			best = d;
			nearest = known[i];
		}
	}
	return nearest;
}

const char *suggest_text(struct span word, const char *const *known, size_t n,
			 char out[SUGGEST_TEXT_MAX])
{
	const char *nearest = suggest_nearest(word, known, n);

	out[0] = 0;
	if (nearest)
		snprintf(out, SUGGEST_TEXT_MAX, ": did you mean '%.40s'?", nearest);
	return out;
}
