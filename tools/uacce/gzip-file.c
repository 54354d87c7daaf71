// SPDX-License-Identifier: GPL-2.0-only
/*
 * One file: what its result is called, what may be replaced, what is removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gzip.h"

/* Suffixes that mean gzip, besides that of -S, and what takes their place */
static const struct {
	const char *suffix;
	const char *instead;
} known_suffixes[] = {
	{ ".gz", "" },
	{ "-gz", "" },
	{ ".tgz", ".tar" },
	{ ".taz", ".tar" },
};

/* Length of @name without @suffix, 0 if it has another one or nothing else */
static size_t stem(const char *name, const char *suffix)
{
	size_t len = strlen(name), cut = strlen(suffix);

	if (len <= cut || strcmp(name + len - cut, suffix) ||
	    name[len - cut - 1] == '/')
		return 0;
	return len - cut;
}

/* The length of what is left of a compressed file's name, 0 if it is none */
static size_t compressed_stem(const char *name, const char **instead)
{
	size_t len, i;

	*instead = "";
	len = stem(name, opt.suffix);
	for (i = 0; !len && i < ARRAY_SIZE(known_suffixes); i++) {
		len = stem(name, known_suffixes[i].suffix);
		*instead = known_suffixes[i].instead;
	}
	return len;
}

/* Fill in the name of the result; false: leave this file alone */
static bool result_name(const char *name, char *result, size_t size)
{
	const char *instead;
	size_t len;
	int need;

	len = compressed_stem(name, &instead);
	if (opt.decompress) {
		if (!len) {
			gz_warn(name, "unknown suffix -- ignored");
			return false;
		}
		need = snprintf(result, size, "%.*s%s", (int)len, name,
				instead);
	} else {
		if (len) {
			gz_warn(name, "already has %s suffix -- unchanged",
				name + len);
			return false;
		}
		need = snprintf(result, size, "%s%s", name, opt.suffix);
	}
	if (need >= (int)size) {
		gz_error(name, "%s", strerror(ENAMETOOLONG));
		return false;
	}
	return true;
}

static bool ask(const char *name)
{
	int first, c;

	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return false;
	fprintf(stderr, "uacce-gzip: %s already exists; overwrite it (y or n)? ",
		name);
	first = getchar();
	for (c = first; c != '\n' && c != EOF;)
		c = getchar();
	return first == 'y' || first == 'Y';
}

/* Is @name free, or may it be replaced? */
static bool may_write(const char *name, const struct gz_input *in,
		      bool *replace)
{
	struct stat st;

	*replace = opt.force;
	if (lstat(name, &st))
		return true;
	if (st.st_dev == in->st.st_dev && st.st_ino == in->st.st_ino) {
		gz_error(name, "is input and output at once");
		return false;
	}
	if (S_ISDIR(st.st_mode)) {
		gz_error(name, "%s", strerror(EISDIR));
		return false;
	}
	if (*replace)
		return true;
	/*
	 * Nothing is lost by writing to a pipe or a device. But only who names
	 * it means it: in place, the input is removed afterwards.
	 */
	if (opt.output && !stat(name, &st) && !S_ISREG(st.st_mode))
		return true;
	if (ask(name)) {
		*replace = true;
		return true;
	}
	gz_warn(name, "already exists -- not overwritten");
	return false;
}

static double saved(const struct gz_input *in, const struct gz_output *out)
{
	double large = opt.decompress ? out->total : in->total;
	double small = opt.decompress ? in->total : out->total;

	return large ? 100.0 * (large - small) / large : 0;
}

static void report(const struct gz_input *in, const struct gz_output *out)
{
	gz_progress_clear();
	fprintf(stderr, "%s:\t", in->name);
	if (opt.test)
		fprintf(stderr, "OK\n");
	else if (!out->name)
		fprintf(stderr, "%5.1f%%\n", saved(in, out));
	else
		fprintf(stderr, "%5.1f%% -- %s %s\n", saved(in, out),
			opt.keep ? "created" : "replaced with", out->name);
}

static int work(struct gz_accel *a, struct gz_input *in, struct gz_output *out,
		const struct stat *like)
{
	int ret;

	gz_progress_start(in);
	ret = opt.decompress ? gz_expand(a, in, out) : gz_compress(a, in, out);
	gz_progress_stop();
	if (ret) {
		gz_output_abort(out);
		return -1;
	}
	ret = gz_output_commit(out, like);
	if (!ret && opt.verbose)
		report(in, out);
	return ret;
}

static int to_file(struct gz_accel *a, struct gz_input *in, const char *name,
		   const struct stat *like)
{
	struct gz_output out;
	bool replace;

	if (!may_write(name, in, &replace) ||
	    gz_output_to_file(&out, name, replace))
		return -1;
	return work(a, in, &out, like);
}

static int to_fd(struct gz_accel *a, struct gz_input *in, int fd)
{
	struct gz_output out;

	gz_output_to_fd(&out, fd);
	return work(a, in, &out, NULL);
}

/* Are there bytes on a terminal that no one can read, or type? */
static bool on_terminal(const char *name)
{
	if (opt.force || opt.test)
		return false;
	if (opt.decompress && !name && isatty(STDIN_FILENO)) {
		gz_error(NULL, "compressed data not read from a terminal (-f forces it)");
		return true;
	}
	if (!opt.decompress && !opt.output && (opt.to_stdout || !name) &&
	    isatty(STDOUT_FILENO)) {
		gz_error(NULL, "compressed data not written to a terminal (-f forces it)");
		return true;
	}
	return false;
}

/* Is this a file that gzip would replace by another? */
static bool replaceable(const struct gz_input *in)
{
	if (!S_ISREG(in->st.st_mode)) {
		gz_warn(in->name, "is not a directory or a regular file -- ignored");
		return false;
	}
	if (!opt.force && !opt.keep && in->st.st_nlink > 1) {
		gz_warn(in->name, "has %lu other link(s) -- ignored",
			(unsigned long)in->st.st_nlink - 1);
		return false;
	}
	return true;
}

/* Somebody may have put another file there meanwhile, which nobody compressed */
static void remove_input(const struct gz_input *in)
{
	struct stat now;

	if (lstat(in->name, &now))
		gz_warn(in->name, "cannot be removed: %s", strerror(errno));
	else if (!S_ISLNK(now.st_mode) && (now.st_dev != in->st.st_dev ||
					   now.st_ino != in->st.st_ino))
		gz_warn(in->name, "was replaced meanwhile -- not removed");
	else if (unlink(in->name))
		gz_warn(in->name, "cannot be removed: %s", strerror(errno));
}

static void one_input(struct gz_input *in)
{
	char result[PATH_MAX];
	struct gz_accel *a;
	bool in_place = in->fd != STDIN_FILENO && !opt.to_stdout && !opt.test &&
			!opt.output;

	if (S_ISDIR(in->st.st_mode)) {
		gz_warn(in->name, "is a directory -- ignored");
		return;
	}
	if (in_place && (!replaceable(in) ||
			 !result_name(in->name, result, sizeof(result))))
		return;

	a = gz_accel_get();
	if (!a)
		return;
	if (opt.test) {
		to_fd(a, in, -1);
	} else if (opt.output) {
		to_file(a, in, opt.output,
			S_ISREG(in->st.st_mode) ? &in->st : NULL);
	} else if (!in_place) {
		to_fd(a, in, STDOUT_FILENO);
	} else if (!to_file(a, in, result, &in->st) && !opt.keep) {
		remove_input(in);
	}
}

/* gzip -d file finds file.gz, too */
static int open_input(const char *name, char *longer, size_t size,
		      const char **found)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY;
	const char *instead;
	int fd;

	/* what replaces a symbolic link would not be where the file is */
	if (!opt.force && !opt.to_stdout && !opt.test && !opt.output)
		flags |= O_NOFOLLOW | O_NONBLOCK;
	*found = name;
	fd = open(name, flags);
	if (fd >= 0 || errno != ENOENT || !opt.decompress ||
	    compressed_stem(name, &instead) ||
	    snprintf(longer, size, "%s%s", name, opt.suffix) >= (int)size)
		return fd;
	fd = open(longer, flags);
	if (fd >= 0)
		*found = longer;
	return fd;
}

void gz_file(const char *name)
{
	char longer[PATH_MAX];
	struct gz_input in;
	const char *found = "stdin";
	int fd = STDIN_FILENO;

	if (on_terminal(name))
		return;
	if (name) {
		fd = open_input(name, longer, sizeof(longer), &found);
		if (fd < 0) {
			gz_error(name, "%s", strerror(errno));
			return;
		}
	}
	if (gz_input_open(&in, fd, found))
		return;
	one_input(&in);
	gz_input_close(&in);
}
