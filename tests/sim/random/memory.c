/* memory: malloc(3) and its like, as the linker wraps them. */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>

#include "chance.h"
#include "world_state.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

static size_t pieces;
static unsigned one_of;

size_t memory_pieces(void)
{
	return pieces;
}

void memory_short(unsigned n)
{
	one_of = n;
}

static bool is_refused(void)
{
	if (!one_of || world_claims || chance_below(one_of))
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	void *p = is_refused() ? NULL : __real_malloc(size);

	pieces += p != NULL;
	return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *p = is_refused() ? NULL : __real_calloc(n, size);

	pieces += p != NULL;
	return p;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	void *p = is_refused() ? NULL : __real_aligned_alloc(alignment, size);

	pieces += p != NULL;
	return p;
}

void *__wrap_realloc(void *old, size_t size)
{
	void *p = is_refused() ? NULL : __real_realloc(old, size);

	pieces += !old && p;
	return p;
}

void __wrap_free(void *p)
{
	pieces -= p != NULL;
	__real_free(p);
}
