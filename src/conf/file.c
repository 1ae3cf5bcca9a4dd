/* file: configuration files, one directive per line, and those that they include. */
#include "conf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Some thousand directives. What is larger is no configuration file. */
#define FILE_MAX (256 * 1024)

/* An upstream with all its parameters is half of this. */
#define LINE_LEN_MAX 4096

/* Files in all. */
#define FILES_MAX 256

/* Files that include one another. */
#define DEPTH_MAX 8

struct file {
	char *path;
	struct place from; /* the include that named it; PLACE_NONE: the first one */
	unsigned depth;
	bool open;
	dev_t device;
	ino_t inode;
	char *data;
	size_t len, pos;
	unsigned line;
};

/* All files, in the order in which they were named; those still to be read are a stack of
 * numbers, the next one on top. */
struct files {
	struct file file[FILES_MAX];
	unsigned count;
	unsigned stack[FILES_MAX];
	unsigned height;
	file_directive_fn *on_directive;
	void *arg;
	char *error;
};

static const char *const bom = "\xef\xbb\xbf";

static int push(struct files *fs, const char *path, const struct place *from,
		unsigned depth)
{
	char *copy;

	if (fs->count == FILES_MAX)
		return place_error(fs->error, from, "more than %d files", FILES_MAX);
	copy = strdup(path);
	if (!copy)
		return place_error(fs->error, from, "out of memory");
	fs->file[fs->count] = (struct file){.path = copy, .from = *from, .depth = depth};
	fs->stack[fs->height++] = fs->count++;
	return 0;
}

static int cannot_read(struct files *fs, const struct file *f, int error)
{
	place_error(fs->error, f->from.kind ? &f->from : NULL, "cannot read %.4095s: %s",
		    f->path, strerror(error));
	return f->from.kind == PLACE_NONE && error == ENOENT ? -ENOENT : -EINVAL;
}

/* The whole file into f->data, from the descriptor, which may be a pipe. */
static int load(struct files *fs, struct file *f, int fd)
{
	ssize_t n = 1;

	f->data = malloc(FILE_MAX + 1);
	if (!f->data)
		return cannot_read(fs, f, ENOMEM);
	while (n > 0 && f->len <= FILE_MAX) {
		n = read(fd, f->data + f->len, FILE_MAX + 1 - f->len);
		if (n < 0 && errno != EINTR)
			return cannot_read(fs, f, errno);
		f->len += n > 0 ? (size_t)n : 0;
		n = n < 0 ? 1 : n; /* interrupted: again */
	}
	if (f->len > FILE_MAX)
		return place_error(fs->error, f->from.kind ? &f->from : NULL,
				   "%.4095s is larger than %d KiB", f->path,
				   FILE_MAX / 1024);
	if (f->len >= strlen(bom) && memcmp(f->data, bom, strlen(bom)) == 0)
		f->pos = strlen(bom);
	return 0;
}

/* True if a file that is being read is the same as F: it includes itself. */
static bool is_loop(const struct files *fs, const struct file *f)
{
	for (unsigned i = 0; i < fs->height; i++) {
		const struct file *other = &fs->file[fs->stack[i]];

		if (other != f && other->open && other->device == f->device &&
		    other->inode == f->inode)
			return true;
	}
	return false;
}

static int open_file(struct files *fs, struct file *f)
{
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int result;

	if (fd < 0)
		return cannot_read(fs, f, errno);
	if (fstat(fd, &st) != 0) {
		result = cannot_read(fs, f, errno);
		close(fd);
		return result;
	}
	f->open = true;
	f->device = st.st_dev;
	f->inode = st.st_ino;
	if (is_loop(fs, f))
		result =
		    place_error(fs->error, &f->from, "%.4095s includes itself", f->path);
	else
		result = load(fs, f, fd);
	close(fd);
	return result;
}

/* Puts the folder of the including file in front of a relative pattern. */
static int join(char out[CONF_PATH_MAX], const struct file *f, const char *pattern)
{
	const char *slash = strrchr(f->path, '/');
	size_t folder = slash && pattern[0] != '/' ? (size_t)(slash + 1 - f->path) : 0;

	if (folder + strlen(pattern) >= CONF_PATH_MAX)
		return -EINVAL;
	memcpy(out, f->path, folder);
	strcpy(out + folder, pattern);
	return 0;
}

/* What PATTERN matches, in its order, goes onto the stack last first. */
static int push_matches(struct files *fs, const struct file *f, const char *pattern,
			const struct place *from)
{
	glob_t found = {0};
	int result = 0;

	switch (glob(pattern, 0, NULL, &found)) {
	case 0:
		for (size_t i = found.gl_pathc; i > 0 && result == 0; i--)
			result = push(fs, found.gl_pathv[i - 1], from, f->depth + 1);
		break;
	case GLOB_NOMATCH:
		break;
	default:
		result = place_error(fs->error, from, "cannot look for %.4095s", pattern);
		break;
	}
	globfree(&found);
	return result;
}

static int include(struct files *fs, const struct file *f, const struct directive *d)
{
	char pattern[CONF_PATH_MAX];
	struct place from = d->place;

	from.column = d->value_column;
	if (!d->value[0])
		return place_error(fs->error, &d->place,
				   "include needs a file: include FILE");
	if (f->depth == DEPTH_MAX)
		return place_error(fs->error, &from,
				   "more than %d files inside one another", DEPTH_MAX);
	if (join(pattern, f, d->value) != 0)
		return place_error(fs->error, &from, "a path of more than %d characters",
				   CONF_PATH_MAX - 1);
	if (!strpbrk(pattern, "*?["))
		return push(fs, pattern, &from, f->depth + 1);
	return push_matches(fs, f, pattern, &from);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Where the comment of TEXT begins; LEN: there is none. */
static size_t comment_at(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && !(text[n] == '#' && (n == 0 || is_blank(text[n - 1]))))
		n++;
	return n;
}

/* Cuts TEXT in front of its comment, and of the blanks in front of that. Returns what stands
 * behind the #; NULL: there is no comment. */
static const char *cut_comment(char *text)
{
	size_t len = strlen(text);
	size_t at = comment_at(text, len), n = at;

	while (n > 0 && is_blank(text[n - 1]))
		n--;
	text[n] = 0;
	return at < len ? text + at + 1 : NULL;
}

/* Splits the line in TEXT, which it changes, into word, value and comment. */
static struct directive split_line(const struct file *f, char *text)
{
	const char *comment = cut_comment(text);
	char *word = text + strspn(text, " \t");
	char *end = word + strcspn(word, " \t");
	char *value = end + strspn(end, " \t");
	struct directive d = {.word = word, .value = value, .comment = comment};

	d.place = (struct place){PLACE_FILE, f->path, f->line, (size_t)(word - text) + 1};
	d.value_column = (size_t)(value - text) + 1;
	d.comment_column = comment ? (size_t)(comment - text) : 0;
	*end = 0;
	return d;
}

/* Fails at the first control character but a tab. */
static int check_line(struct files *fs, const struct file *f, const char *text,
		      size_t len)
{
	struct place place = {PLACE_FILE, f->path, f->line, 1};

	if (len > LINE_LEN_MAX)
		return place_error(fs->error, &place, "a line of more than %d characters",
				   LINE_LEN_MAX);
	for (; place.column <= len; place.column++) {
		unsigned char c = (unsigned char)text[place.column - 1];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return place_error(fs->error, &place, "control character 0x%02x",
					   c);
	}
	return 0;
}

static int read_line(struct files *fs, struct file *f)
{
	const char *text = f->data + f->pos;
	const char *end = memchr(text, '\n', f->len - f->pos);
	size_t len = end ? (size_t)(end - text) : f->len - f->pos;
	char line[LINE_LEN_MAX + 1];
	struct directive d;

	f->pos += len + (end ? 1 : 0);
	f->line++;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (check_line(fs, f, text, len) != 0)
		return -EINVAL;
	memcpy(line, text, len);
	line[len] = 0;
	d = split_line(f, line);
	if (!d.word[0])
		return 0;
	if (strcmp(d.word, "include") == 0)
		return include(fs, f, &d);
	return fs->on_directive(fs->arg, &d);
}

/* One step: opens the file on top of the stack, reads a line of it, or takes it off. */
static int step(struct files *fs)
{
	struct file *f = &fs->file[fs->stack[fs->height - 1]];

	if (!f->open)
		return open_file(fs, f);
	if (f->pos < f->len)
		return read_line(fs, f);
	free(f->data);
	f->data = NULL;
	fs->height--;
	return 0;
}

int file_read(struct files **out, const char *path, file_directive_fn *on_directive,
	      void *arg, char error[CONF_ERROR_MAX])
{
	struct files *fs = calloc(1, sizeof *fs);
	const struct place nowhere = {.kind = PLACE_NONE};
	int result;

	*out = fs;
	if (!fs)
		return place_error(error, NULL, "out of memory");
	fs->on_directive = on_directive;
	fs->arg = arg;
	fs->error = error;
	result = push(fs, path, &nowhere, 0);
	while (result == 0 && fs->height > 0)
		result = step(fs);
	return result;
}

void file_free(struct files *fs)
{
	if (!fs)
		return;
	for (unsigned i = 0; i < fs->count; i++) {
		free(fs->file[i].path);
		free(fs->file[i].data);
	}
	free(fs);
}
