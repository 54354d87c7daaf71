/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uacce-gzip: what its files share.
 *
 *	gzip.c			options, exit status, messages
 *	gzip-file.c		one file: names, what may be replaced
 *	gzip-input.c		the data to work on, in place where possible
 *	gzip-output.c		a result that appears complete or not at all
 *	gzip-accel.c		the accelerator: choosing, queues, its errors
 *	gzip-compress.c		chunks in flight, one gzip member out of them
 *	gzip-expand.c		members, windows, trailing garbage
 *	gzip-progress.c		a line on the terminal
 *
 * Functions that return int return 0, or -1 after they printed why.
 */
#ifndef UACCE_GZIP_H
#define UACCE_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "vaccel-queue.h"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define __printf(a, b)	__attribute__((		\
	format(printf, a, b)))

enum gz_status {
	GZ_OK = 0,
	GZ_ERROR = 1,
	GZ_WARNING = 2,
};

/**
 * struct gz_options - the command line
 * @decompress: -d, -t
 * @test: -t
 * @to_stdout: -c
 * @keep: -k, or no name to remove
 * @force: -f
 * @quiet: -q
 * @no_name: -n: name and time of the input are not stored
 * @verbose: -v
 * @level: -1 to -9
 * @suffix: -S
 * @output: -o, or NULL
 * @device: --device, or NULL
 * @queues: --queues
 */
struct gz_options {
	bool decompress;
	bool test;
	bool to_stdout;
	bool keep;
	bool force;
	bool quiet;
	bool no_name;
	bool verbose;
	int level;
	const char *suffix;
	const char *output;
	const char *device;
	unsigned int queues;
};

extern struct gz_options opt;

/* gzip.c: messages; an error and a warning also set the exit status */
__printf(2, 3) void gz_error(const char *name, const char *fmt, ...);
__printf(2, 3) void gz_warn(const char *name, const char *fmt, ...);
__printf(1, 2) void gz_note(const char *fmt, ...);

/* gzip-accel.c */
#define GZ_MAX_QUEUES	64

struct gz_accel;

/* Find and open the device, once; one queue is there after that */
struct gz_accel *gz_accel_get(void);
/* Have @want queues, if there are so many; returns how many there are */
unsigned int gz_accel_queues(struct gz_accel *a, unsigned int want);
int gz_accel_submit(struct gz_accel *a, unsigned int queue,
		    const struct vaccel_desc *d, const char *name);
/* Sleep for the oldest completion of @queue */
int gz_accel_wait(struct gz_accel *a, unsigned int queue,
		  struct vaccel_cqe *cqe, const char *name);
/* What the status of a completion says about the work on @name */
void gz_accel_explain(const struct gz_accel *a, const struct vaccel_cqe *cqe,
		      const char *name);
/* Make the device forget what is outstanding, so that buffers are ours again */
void gz_accel_abort(struct gz_accel *a);
/* No use in trying another file */
bool gz_accel_failed(void);
void gz_accel_close(void);

/* gzip-input.c */

/**
 * struct gz_input - data to work on
 * @fd: where it comes from
 * @name: for messages
 * @st: of @fd, when it was opened
 * @map: the mapped file, NULL if it is read
 * @map_size: length of @map
 * @next: first byte not used yet
 * @left: bytes there
 * @buf: for bytes that were read, unless the caller has one
 * @ahead: a byte that was read to see whether there is another one
 * @has_ahead: @ahead is one
 * @eof: read() said so
 * @total: bytes handed out
 */
struct gz_input {
	int fd;
	const char *name;
	struct stat st;
	char *map;
	size_t map_size;
	char *next;
	size_t left;
	char *buf;
	char ahead;
	bool has_ahead;
	bool eof;
	__u64 total;
};

/* Most bytes that gz_input_window() shows */
#define GZ_WINDOW	(1024 * 1024)

/* @fd belongs to the input from here on, also on failure */
int gz_input_open(struct gz_input *in, int fd, const char *name);
void gz_input_close(struct gz_input *in);
/*
 * The next piece, at most @size bytes: in place, or read to @buf. @last is set
 * if nothing follows, which is known at once.
 */
int gz_input_chunk(struct gz_input *in, void *buf, size_t size,
		   const void **data, size_t *len, bool *last);
/* Look at what comes next, at least @least bytes if there are so many */
int gz_input_window(struct gz_input *in, size_t least, const void **data,
		    size_t *len);
/* Copy the first bytes of what comes next; never touches the mapping */
int gz_input_peek(struct gz_input *in, void *to, size_t size, size_t *len);
void gz_input_skip(struct gz_input *in, size_t len);
/* Bytes in the file from where we began, 0 if not known */
__u64 gz_input_size(const struct gz_input *in);
bool gz_input_maps(const struct gz_input *in, __u64 addr);
bool gz_input_shrank(const struct gz_input *in);

/* gzip-output.c */

/**
 * struct gz_output - where the result goes
 * @fd: open for writing; -1: the data is only counted
 * @name: file that it becomes, or NULL
 * @temp: @fd is a temporary file, renamed at the end
 * @replace: @name may exist
 * @total: bytes written
 */
struct gz_output {
	int fd;
	const char *name;
	bool temp;
	bool replace;
	__u64 total;
};

/* Signals that end the program remove the temporary file */
void gz_output_init(void);
/* For a signal handler */
void gz_output_cleanup(void);
void gz_output_to_fd(struct gz_output *out, int fd);
int gz_output_to_file(struct gz_output *out, const char *name, bool replace);
int gz_output_write(struct gz_output *out, const void *data, size_t len);
/* Mode, owner and times as @like has them, then the name; @like may be NULL */
int gz_output_commit(struct gz_output *out, const struct stat *like);
void gz_output_abort(struct gz_output *out);

/* gzip-progress.c */
void gz_progress_start(const struct gz_input *in);
void gz_progress(const struct gz_input *in, const struct gz_output *out);
/* Wipe the line, before any other message */
void gz_progress_clear(void);
void gz_progress_stop(void);

/* gzip-compress.c, gzip-expand.c */
int gz_compress(struct gz_accel *a, struct gz_input *in, struct gz_output *out);
int gz_expand(struct gz_accel *a, struct gz_input *in, struct gz_output *out);

/* gzip-file.c; @name NULL: standard input to standard output */
void gz_file(const char *name);

#endif /* UACCE_GZIP_H */
