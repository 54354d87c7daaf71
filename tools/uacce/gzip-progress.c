// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress of a long file: one line on the terminal, gone when it is done.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gzip.h"

/* Nobody needs a progress line for less */
#define FIRST_AFTER	1.0
#define EVERY		0.2

static bool active, shown;
static double started, next;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void gz_progress_start(const struct gz_input *in)
{
	/* not between the lines that we print, or that somebody types */
	active = !opt.quiet && isatty(STDERR_FILENO) && !isatty(in->fd) &&
		 !(opt.to_stdout && isatty(STDOUT_FILENO));
	started = now();
	next = started + FIRST_AFTER;
}

void gz_progress_clear(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = false;
}

void gz_progress(const struct gz_input *in, const struct gz_output *out)
{
	__u64 size = gz_input_size(in);
	double in_mib = in->total / 1048576.0;
	double out_mib = out->total / 1048576.0;
	double t;

	if (!active)
		return;
	t = now();
	if (t < next)
		return;
	next = t + EVERY;

	gz_progress_clear();
	fprintf(stderr, "%s: ", in->name);
	if (size)
		fprintf(stderr, "%3.0f%%  ", 100.0 * in->total / size);
	fprintf(stderr, "%.1f MiB in, %.1f MiB out, %.1f MiB/s", in_mib, out_mib,
		(opt.decompress ? out_mib : in_mib) / (t - started));
	fflush(stderr);
	shown = true;
}

void gz_progress_stop(void)
{
	gz_progress_clear();
	active = false;
}
