/* control_path: the path from the configuration, or from who runs it. */
#include "os/control_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_FOLDER "/run/dotgate"

bool control_path(const struct config *c, bool make, char out[CONF_PATH_MAX])
{
	const char *folder = getenv("XDG_RUNTIME_DIR");

	if (strcmp(c->control, "off") == 0)
		return false;
	if (c->control[0]) {
		strcpy(out, c->control);
		return true;
	}
	if (geteuid() != 0 && folder && folder[0])
		return snprintf(out, CONF_PATH_MAX, "%s/dotgate-control", folder) <
		       CONF_PATH_MAX;
	if (geteuid() == 0 && make)
		(void)mkdir(RUN_FOLDER, 0755); /* or it is there */
	strcpy(out, RUN_FOLDER "/control");
	return true;
}
