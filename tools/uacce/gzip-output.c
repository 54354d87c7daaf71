// SPDX-License-Identifier: GPL-2.0-only
/*
 * The result: complete or not there.
 *
 * It is written to a temporary file in the directory where it belongs and gets
 * its name when it is whole. On any error, and when a signal ends us, the
 * temporary file is removed. What is not a regular file (a terminal, a pipe,
 * /dev/null) is written to directly.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gzip.h"

#define TEMP_NAME	".uacce-gzip.XXXXXX"

static const int fatal_signals[] = {
	SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ,
};

/* Path of the temporary file, empty if there is none */
static char temp_path[PATH_MAX];

void gz_output_cleanup(void)
{
	if (temp_path[0])
		unlink(temp_path);
}

static void die(int sig)
{
	gz_output_cleanup();
	/* SA_RESETHAND: this time it does what it would have done */
	raise(sig);
}

void gz_output_init(void)
{
	struct sigaction sa = {
		.sa_handler = die,
		.sa_flags = SA_RESETHAND,
	};
	struct sigaction old;
	size_t i;

	sigfillset(&sa.sa_mask);
	for (i = 0; i < ARRAY_SIZE(fatal_signals); i++) {
		/* nohup and the like want it ignored */
		if (!sigaction(fatal_signals[i], NULL, &old) &&
		    old.sa_handler != SIG_IGN)
			sigaction(fatal_signals[i], &sa, NULL);
	}
}

/* temp_path and the file that it names change together */
static void block_signals(sigset_t *old)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		sigaddset(&set, fatal_signals[i]);
	sigprocmask(SIG_BLOCK, &set, old);
}

static void restore_signals(const sigset_t *old)
{
	int saved = errno;

	sigprocmask(SIG_SETMASK, old, NULL);
	errno = saved;
}

void gz_output_to_fd(struct gz_output *out, int fd)
{
	memset(out, 0, sizeof(*out));
	out->fd = fd;
}

static int open_temp(const char *name)
{
	const char *slash = strrchr(name, '/');
	int dir_len = slash ? slash - name + 1 : 0;
	sigset_t old;
	int fd;

	if (dir_len + sizeof(TEMP_NAME) > sizeof(temp_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	block_signals(&old);
	snprintf(temp_path, sizeof(temp_path), "%.*s" TEMP_NAME, dir_len, name);
	fd = mkostemp(temp_path, O_CLOEXEC);
	if (fd < 0)
		temp_path[0] = '\0';
	restore_signals(&old);
	return fd;
}

int gz_output_to_file(struct gz_output *out, const char *name, bool replace)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	out->name = name;
	out->replace = replace;

	if (opt.output && !stat(name, &st) && !S_ISREG(st.st_mode)) {
		out->fd = open(name, O_WRONLY | O_CLOEXEC);
	} else {
		out->fd = open_temp(name);
		out->temp = true;
	}
	if (out->fd < 0) {
		gz_error(name, "%s", strerror(errno));
		return -1;
	}
	return 0;
}

int gz_output_write(struct gz_output *out, const void *data, size_t len)
{
	const char *from = data;
	ssize_t done;

	out->total += len;
	while (out->fd >= 0 && len) {
		done = write(out->fd, from, len);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			gz_error(out->name ? out->name : "stdout", "%s",
				 strerror(errno));
			return -1;
		}
		from += done;
		len -= done;
	}
	return 0;
}

static void copy_metadata(const struct gz_output *out, const struct stat *like)
{
	struct timespec times[2] = { like->st_atim, like->st_mtim };
	mode_t mode = like->st_mode & 0777;

	/*
	 * Only root can give a file away, and one of another group gets no more
	 * from the group's bits than everybody does. Owner before mode: a
	 * change of owner may clear bits.
	 */
	if (fchown(out->fd, like->st_uid, like->st_gid) &&
	    fchown(out->fd, -1, like->st_gid))
		mode &= ~0070 | (mode & 0007) << 3;
	if (fchmod(out->fd, mode))
		gz_warn(out->name, "cannot set the mode: %s", strerror(errno));
	if (futimens(out->fd, times))
		gz_warn(out->name, "cannot set the times: %s", strerror(errno));
}

static void default_mode(const struct gz_output *out)
{
	mode_t mask = umask(0);

	umask(mask);
	if (fchmod(out->fd, 0666 & ~mask))
		gz_warn(out->name, "cannot set the mode: %s", strerror(errno));
}

static int rename_temp(const struct gz_output *out)
{
	if (out->replace)
		return rename(temp_path, out->name);
	if (!renameat2(AT_FDCWD, temp_path, AT_FDCWD, out->name,
		       RENAME_NOREPLACE))
		return 0;
	/* not every file system knows the flag */
	if (errno != EINVAL)
		return -1;
	if (!faccessat(AT_FDCWD, out->name, F_OK, AT_SYMLINK_NOFOLLOW)) {
		errno = EEXIST;
		return -1;
	}
	return rename(temp_path, out->name);
}

/*
 * Have the name on the disk as well. A directory that cannot be read, or whose file
 * system has no use for this, is as good as it gets.
 */
static int sync_name(const struct gz_output *out)
{
	const char *slash = strrchr(out->name, '/');
	char dir[PATH_MAX] = ".";
	int fd, ret;

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - out->name + 1),
			 out->name);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ret = fsync(fd);
	if (ret && errno == EINVAL)
		ret = 0;
	close(fd);
	return ret;
}

int gz_output_commit(struct gz_output *out, const struct stat *like)
{
	sigset_t old;
	int ret;

	if (!out->name)
		return 0;
	if (out->temp && like)
		copy_metadata(out, like);
	else if (out->temp)
		default_mode(out);

	/* before the input goes the output must be there to stay, and its name below */
	ret = out->temp && !opt.keep ? fsync(out->fd) : 0;
	/* some file systems tell only here that the disk is full */
	if (close(out->fd))
		ret = -1;
	out->fd = -1;
	if (!ret && out->temp) {
		block_signals(&old);
		ret = rename_temp(out);
		if (!ret)
			temp_path[0] = '\0';
		restore_signals(&old);
		if (!ret && !opt.keep)
			ret = sync_name(out);
	}
	if (!ret)
		return 0;

	gz_error(out->name, "%s", strerror(errno));
	gz_output_abort(out);
	return -1;
}

void gz_output_abort(struct gz_output *out)
{
	sigset_t old;

	if (!out->name)
		return;
	if (out->fd >= 0)
		close(out->fd);
	out->fd = -1;
	if (!out->temp)
		return;
	block_signals(&old);
	gz_output_cleanup();
	temp_path[0] = '\0';
	restore_signals(&old);
}
