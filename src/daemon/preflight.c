/* preflight: does this machine have what the configuration wants? */
#include "daemon/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/http.h"
#include "proxy/domain.h"

/* Octets of what is wrong with a file. */
#define WHY_MAX 160

/* The same with its path in front. */
#define TEXT_MAX (CONF_PATH_MAX + WHY_MAX + 32)

/* ---- libraries ---- */

static bool has_public_suffixes(void)
{
	struct domains *d;

	if (domains_new(&d) < 0)
		return false;
	domains_free(d);
	return true;
}

bool preflight_libraries(const struct config *c, preflight_say_fn *say)
{
	bool psl = c->policy != POLICY_SHARD || has_public_suffixes();
	bool http = !c->http_set || http_is_available();

	if (!psl)
		say("policy shard needs libpsl (libpsl5): install it");
	if (!http)
		say("http needs libmicrohttpd (libmicrohttpd12), which is not installed: "
		    "install it, or leave http out");
	return psl && http;
}

/* ---- files ---- */

static bool fail(preflight_say_fn *say, const char *word, const char *path,
		 const char *why)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof text, "%s %s: %s", word, path, why);
	say(text);
	return false;
}

/* The folder that holds PATH. */
static void folder_of(const char *path, char out[CONF_PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!slash)
		strcpy(out, ".");
	else if (len == 0)
		strcpy(out, "/");
	else
		snprintf(out, CONF_PATH_MAX, "%.*s", (int)len, path);
}

/* Files are made beside the old one, and renamed. */
static bool check_folder(const char *word, const char *path, preflight_say_fn *say)
{
	char folder[CONF_PATH_MAX], why[WHY_MAX];
	struct stat s;

	folder_of(path, folder);
	if (stat(folder, &s) < 0)
		snprintf(why, sizeof why, "its folder: %s", strerror(errno));
	else if (!S_ISDIR(s.st_mode))
		snprintf(why, sizeof why, "its folder: %s", strerror(ENOTDIR));
	else if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0)
		snprintf(why, sizeof why, "no file can be made in its folder: %s",
			 strerror(errno));
	else
		return true;
	return fail(say, word, path, why);
}

static bool check_file(const char *word, const char *path, preflight_say_fn *say)
{
	struct stat s;

	if (!path[0])
		return true;
	if (lstat(path, &s) == 0 && S_ISDIR(s.st_mode))
		return fail(say, word, path, "is a folder: name a file in it");
	return check_folder(word, path, say);
}

bool preflight_files(const struct config *c, preflight_say_fn *say)
{
	bool cache = !c->cache_size || check_file("cache-file", c->cache_file, say);

	return check_file("addresses-file", c->addresses_file, say) && cache;
}

bool preflight_control(const struct config *c, preflight_say_fn *say)
{
	const char *path = c->control;
	struct sockaddr_un a;
	struct stat s;

	if (!path[0] || strcmp(path, "off") == 0)
		return true;
	if (strlen(path) >= sizeof a.sun_path)
		return fail(say, "control", path,
			    "a socket's path has at most 107 characters");
	if (lstat(path, &s) == 0 && !S_ISSOCK(s.st_mode))
		return fail(say, "control", path, "is there, and is no socket");
	return check_folder("control", path, say);
}
