/* version: what this program is, and what it is made of. */
#include "cli/version.h"

#include <gnu/libc-version.h>

#include "base/version.h"
#include "net/tls.h"

int cli_version(FILE *out)
{
	fprintf(out, "%s %s\n", DOTGATE_NAME, DOTGATE_VERSION);
	fprintf(out, "%s\n", tls_library_version());
	fprintf(out, "libmicrohttpd: loaded when http is set\n");
	fprintf(out, "glibc %s\n", gnu_get_libc_version());
	fprintf(out, "Licence: Apache-2.0\n");
	return 0;
}
