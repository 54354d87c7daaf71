// SPDX-License-Identifier: GPL-2.0-only
/*
 * uacce-gzip: gzip on a UACCE accelerator.
 *
 * The accelerator gets plain pointers to this program's own memory: the mapped
 * input file and output buffers of its own. See gzip.h for what is where.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gzip.h"

#define PROGRAM		"uacce-gzip"
#define VERSION		"1.0"

struct gz_options opt = {
	.level = 6,
	.suffix = ".gz",
};

static enum gz_status exit_status;

static void message(const char *name, const char *fmt, va_list ap)
{
	gz_progress_clear();
	fprintf(stderr, PROGRAM ": ");
	if (name)
		fprintf(stderr, "%s: ", name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void gz_error(const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(name, fmt, ap);
	va_end(ap);
	exit_status = GZ_ERROR;
}

void gz_warn(const char *name, const char *fmt, ...)
{
	va_list ap;

	if (!opt.quiet) {
		va_start(ap, fmt);
		message(name, fmt, ap);
		va_end(ap);
	}
	if (exit_status == GZ_OK)
		exit_status = GZ_WARNING;
}

void gz_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	message(NULL, fmt, ap);
	va_end(ap);
}

static void print_help(void)
{
	puts("Usage: " PROGRAM " [OPTION]... [FILE]...\n"
	     "Compress or expand FILEs with a UACCE accelerator, in gzip's format.\n"
	     "FILE becomes FILE.gz; without FILE, or if FILE is -, standard input is\n"
	     "compressed to standard output.\n"
	     "\n"
	     "  -c, --stdout       write to standard output, keep the files\n"
	     "  -d, --decompress   expand\n"
	     "  -f, --force        overwrite files, follow links, write to terminals\n"
	     "  -h, --help         show this help\n"
	     "  -k, --keep         do not remove the input files\n"
	     "  -n, --no-name      do not store the name and time of the input\n"
	     "  -o, --output=FILE  write to FILE (- is standard output), keep the input\n"
	     "  -q, --quiet        no warnings, no progress\n"
	     "  -S, --suffix=SUF   use suffix SUF instead of .gz\n"
	     "  -t, --test         expand, but only to see whether the data is intact\n"
	     "  -v, --verbose      say what was done\n"
	     "  -V, --version      show the version\n"
	     "  -1, --fast ... -9, --best\n"
	     "                     compress faster ... better; 6 unless told\n"
	     "      --device=NODE  use this accelerator, for example /dev/uacce_sim-0;\n"
	     "                     else the one with the most free queues\n"
	     "      --queues=N     use up to N of its queues (1 to 64); else one for\n"
	     "                     each processor, at most 4. Expanding needs only one.\n"
	     "\n"
	     "The accelerator works on this program's own memory: it must share its\n"
	     "address space (SVA) and speak " VACCEL_API_VER ". lsuacce shows what there is;\n"
	     "\"modprobe uacce_sim\" provides one that needs no hardware.\n"
	     "\n"
	     "Exit status: 0 all is well, 1 an error, 2 a warning.\n"
	     "A result appears under its name only when it is complete.");
}

static void usage_error(void)
{
	fprintf(stderr, "Try '" PROGRAM " --help'.\n");
	exit(GZ_ERROR);
}

enum {
	OPT_DEVICE = 256,
	OPT_QUEUES,
};

static const char short_options[] = "123456789cdfhkno:qS:tvV";

static const struct option long_options[] = {
	{ "stdout", no_argument, NULL, 'c' },
	{ "to-stdout", no_argument, NULL, 'c' },
	{ "decompress", no_argument, NULL, 'd' },
	{ "uncompress", no_argument, NULL, 'd' },
	{ "force", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "keep", no_argument, NULL, 'k' },
	{ "no-name", no_argument, NULL, 'n' },
	{ "output", required_argument, NULL, 'o' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "silent", no_argument, NULL, 'q' },
	{ "suffix", required_argument, NULL, 'S' },
	{ "test", no_argument, NULL, 't' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, 'V' },
	{ "fast", no_argument, NULL, '1' },
	{ "best", no_argument, NULL, '9' },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "queues", required_argument, NULL, OPT_QUEUES },
	{ }
};

static unsigned int parse_queues(const char *arg)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(arg, &end, 10);
	if (errno || end == arg || *end || n < 1 || n > GZ_MAX_QUEUES) {
		gz_error(NULL, "--queues needs a number from 1 to %d, not '%s'",
			 GZ_MAX_QUEUES, arg);
		usage_error();
	}
	return n;
}

static unsigned int default_queues(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 4 ? 4 : n;
}

static void parse_option(int c)
{
	switch (c) {
	case '1' ... '9':
		opt.level = c - '0';
		break;
	case 'c':
		opt.to_stdout = true;
		break;
	case 'd':
		opt.decompress = true;
		break;
	case 'f':
		opt.force = true;
		break;
	case 'h':
		print_help();
		exit(GZ_OK);
	case 'k':
		opt.keep = true;
		break;
	case 'n':
		opt.no_name = true;
		break;
	case 'o':
		opt.output = optarg;
		break;
	case 'q':
		opt.quiet = true;
		opt.verbose = false;
		break;
	case 'S':
		opt.suffix = optarg;
		break;
	case 't':
		opt.test = true;
		opt.decompress = true;
		break;
	case 'v':
		opt.verbose = true;
		opt.quiet = false;
		break;
	case 'V':
		puts(PROGRAM " " VERSION);
		exit(GZ_OK);
	case OPT_DEVICE:
		opt.device = optarg;
		break;
	case OPT_QUEUES:
		opt.queues = parse_queues(optarg);
		break;
	default:
		usage_error();
	}
}

static void parse_options(int argc, char **argv)
{
	int c;

	for (;;) {
		c = getopt_long(argc, argv, short_options, long_options, NULL);
		if (c < 0)
			break;
		parse_option(c);
	}

	if (!*opt.suffix || strchr(opt.suffix, '/')) {
		gz_error(NULL, "the suffix '%s' cannot be used: it is empty, or has a slash",
			 opt.suffix);
		exit(GZ_ERROR);
	}
	if (!opt.queues)
		opt.queues = default_queues();
	if (!opt.output)
		return;
	if (argc - optind > 1) {
		gz_error(NULL, "-o goes with one input only");
		usage_error();
	}
	opt.keep = true;
	if (!strcmp(opt.output, "-")) {
		opt.output = NULL;
		opt.to_stdout = true;
	}
}

/* An input or a device that became standard output would be overwritten */
static void open_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	int i;

	open_standard_fds();
	parse_options(argc, argv);
	gz_output_init();

	if (optind == argc)
		gz_file(NULL);
	for (i = optind; i < argc && !gz_accel_failed(); i++)
		gz_file(strcmp(argv[i], "-") ? argv[i] : NULL);
	if (i < argc)
		gz_error(NULL, "nothing was done about %d more input(s): there is no accelerator",
			 argc - i);

	gz_accel_close();
	return exit_status;
}
