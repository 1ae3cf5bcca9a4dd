/* environment: the variables that configure dotgate. */
#ifndef DOTGATE_CONF_ENVIRONMENT_H
#define DOTGATE_CONF_ENVIRONMENT_H

#include "conf/options.h"
#include "conf/table.h"

/* The longest value; longer ones are an error. Holds every list at its fullest. */
#define VARIABLE_MAX 65536

/* Called for each value. Returns 0, or -EINVAL with the error set, which ends it all. */
typedef int environment_value_fn(void *arg, const struct option *o, const char *entry,
				 const char *value);

/*
 * Goes through DOTGATE_..., with the values of a list separated by ;, and DNSSERVER,
 * which is an upstream unless DOTGATE_UPSTREAM is set. Empty variables are not set. Those
 * that Kubernetes makes up for a Service called dotgate are passed over; any other
 * unknown one fails. ENTRY is ENVIRON's own NAME=VALUE; VALUE only lives during the call.
 */
int environment_read(char **environ, environment_value_fn *on_value, void *arg,
		     char error[CONF_ERROR_MAX]);

/* The value of the variable NAME, or NULL if it is not set, or empty. */
const char *environment_get(char **environ, const char *name);

#endif
