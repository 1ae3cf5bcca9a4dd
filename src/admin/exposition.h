/* exposition: the counters of all workers, summed, as Prometheus text. */
#ifndef DOTGATE_ADMIN_EXPOSITION_H
#define DOTGATE_ADMIN_EXPOSITION_H

#include "admin/http.h"

/* The page as a string to be freed by the caller; NULL when memory is short. LEN gets its
 * length. */
char *exposition_make(const struct http_options *o, size_t *len);

#endif
