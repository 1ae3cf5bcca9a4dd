/* replay: runs a fuzz target over all files of the folders given, as an ordinary test. */
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <string.h>

/* No input of a corpus is larger: a message of 65,535 octets and what precedes it. */
#define INPUT_MAX 70000

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	size_t len;

	if (!file)
		return -1;
	data = malloc(INPUT_MAX);
	CHECK(data);
	len = fread(data, 1, INPUT_MAX, file);
	CHECK(feof(file) && !ferror(file));
	fclose(file);
	/* a block of its own length, so that a sanitizer sees each octet read behind it
	 */
	data = realloc(data, len ? len : 1);
	CHECK(data);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 0;
}

static int run_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_MAX];
	int files = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		CHECK(run_file(path) == 0);
		files++;
	}
	closedir(dir);
	return files;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int files = run_folder(argv[i]);

		if (files <= 0) {
			fprintf(stderr, "%s: no inputs\n", argv[i]);
			return 1;
		}
		printf("%s: %d inputs\n", argv[i], files);
	}
	return argc > 1 ? 0 : 1;
}
