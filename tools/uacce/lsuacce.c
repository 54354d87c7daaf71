// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsuacce: list the accelerators of this machine.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <misc/uacce/uacce.h>

#include "lsuacce.h"

#define PROGRAM		"lsuacce"
#define VERSION		"1.0"

static const struct {
	unsigned int flag;
	const char *word;
} flag_words[] = {
	{ UACCE_DEV_SVA, "SVA" },
};

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))

const char *next_flag_word(unsigned int *flags)
{
	static char number[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flag_words); i++) {
		if (*flags & flag_words[i].flag) {
			*flags &= ~flag_words[i].flag;
			return flag_words[i].word;
		}
	}
	if (!*flags)
		return NULL;
	/* a newer kernel knows more than we do */
	snprintf(number, sizeof(number), "%#x", *flags);
	*flags = 0;
	return number;
}

/* One line, whatever the driver's strings contain */
static char *one_line(const char *s, const char *between)
{
	size_t size = strlen(s) * strlen(between) + strlen(s) + 1;
	char *line = malloc(size);
	char *to = line;

	if (!line)
		return NULL;
	for (; *s; s++) {
		if (*s == '\n')
			to = stpcpy(to, between);
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			*to++ = '?';
		else
			*to++ = *s;
	}
	*to = '\0';
	return line;
}

static void format_flags(char *buf, size_t size, unsigned int flags)
{
	const char *word;
	size_t len = 0;

	snprintf(buf, size, "-");
	while ((word = next_flag_word(&flags)) && len < size)
		len += snprintf(buf + len, size - len, "%s%s", len ? "," : "",
				word);
}

static void format_size(char *buf, size_t size, unsigned long long bytes)
{
	static const char units[] = " KMGTPE";
	unsigned int unit = 0;

	while (bytes && !(bytes % 1024) && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	if (unit)
		snprintf(buf, size, "%llu%c", bytes, units[unit]);
	else
		snprintf(buf, size, "%llu", bytes);
}

static void format_number(char *buf, size_t size, long number)
{
	if (number < 0)
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%ld", number);
}

static const char *isolation(const struct uacce_sysfs *dev)
{
	return dev->isolate < 0 ? "-" : dev->isolate ? "yes" : "no";
}

enum column { NAME, API, FLAGS, FREE, MMIO, DUS, ISOLATED, ALGORITHMS, NR };

struct row {
	char *cell[NR];
};

static const char * const titles[NR] = {
	"NAME", "API", "FLAGS", "FREE", "MMIO", "DUS", "ISOLATED", "ALGORITHMS",
};

static void fill_row(struct row *row, const struct uacce_sysfs *dev)
{
	char flags[64], free_queues[24], mmio[24], dus[24];

	format_flags(flags, sizeof(flags), dev->flags);
	format_number(free_queues, sizeof(free_queues), dev->available);
	format_size(mmio, sizeof(mmio), dev->mmio_size);
	format_size(dus, sizeof(dus), dev->dus_size);

	row->cell[NAME] = one_line(dev->name, "");
	row->cell[API] = one_line(dev->api, " ");
	row->cell[FLAGS] = strdup(flags);
	row->cell[FREE] = strdup(free_queues);
	row->cell[MMIO] = strdup(mmio);
	row->cell[DUS] = strdup(dus);
	row->cell[ISOLATED] = strdup(isolation(dev));
	row->cell[ALGORITHMS] = one_line(dev->algorithms, ",");
}

static void print_row(const char * const *cell, const int *width)
{
	int c;

	for (c = 0; c < NR - 1; c++)
		printf("%-*s  ", width[c], cell[c]);
	printf("%s\n", cell[NR - 1]);
}

static int print_table(const struct uacce_sysfs_list *list)
{
	struct row *rows = calloc(list->nr, sizeof(*rows));
	int width[NR], c, ret = 0;
	size_t i;

	if (!rows)
		return -1;
	for (c = 0; c < NR; c++)
		width[c] = strlen(titles[c]);
	for (i = 0; i < list->nr; i++) {
		fill_row(&rows[i], &list->dev[i]);
		for (c = 0; c < NR; c++) {
			if (!rows[i].cell[c])
				ret = -1;
			else if ((int)strlen(rows[i].cell[c]) > width[c])
				width[c] = strlen(rows[i].cell[c]);
		}
	}

	if (!ret)
		print_row(titles, width);
	for (i = 0; i < list->nr; i++) {
		if (!ret)
			print_row((const char * const *)rows[i].cell, width);
		for (c = 0; c < NR; c++)
			free(rows[i].cell[c]);
	}
	free(rows);
	return ret;
}

static void print_detail(const char *name, const char *value)
{
	char *line = one_line(value, ", ");

	printf("  %-22s %s\n", name, line ? line : "");
	free(line);
}

static int is_attribute(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strcmp(entry->d_name, "dev") &&
	       strcmp(entry->d_name, "uevent");
}

/* Whatever the device has, known to us or not */
static int print_attributes(const struct uacce_sysfs *dev)
{
	struct dirent **entries;
	char path[PATH_MAX];
	struct stat st;
	char *value;
	int nr, i;

	nr = scandir(dev->path, &entries, is_attribute, alphasort);
	if (nr < 0)
		return -1;
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/%s", dev->path,
			 entries[i]->d_name);
		if (!lstat(path, &st) && S_ISREG(st.st_mode)) {
			value = uacce_sysfs_read(dev->path, entries[i]->d_name);
			print_detail(entries[i]->d_name, value ? value : "-");
			free(value);
		}
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static int print_details(const struct uacce_sysfs_list *list)
{
	const struct uacce_sysfs *dev;
	char buf[64];
	size_t i;

	for (i = 0; i < list->nr; i++) {
		dev = &list->dev[i];
		printf("%s%s\n", i ? "\n" : "", dev->name);
		printf("  %-22s /dev/%s\n", "node", dev->name);
		print_detail("device number", *dev->devt ? dev->devt : "-");
		print_detail("parent", *dev->parent ? dev->parent : "-");
		print_detail("driver", *dev->driver ? dev->driver : "-");
		format_number(buf, sizeof(buf), dev->numa_node);
		print_detail("NUMA node", buf);
		format_flags(buf, sizeof(buf), dev->flags);
		print_detail("flags in words", buf);
		if (print_attributes(dev))
			fprintf(stderr, PROGRAM ": %s went away\n", dev->name);
	}
	return 0;
}

static void print_help(void)
{
	puts("Usage: " PROGRAM " [OPTION]...\n"
	     "List the UACCE accelerators of this machine.\n"
	     "\n"
	     "  -v, --verbose    all attributes, parent, NUMA node, device number\n"
	     "  -j, --json       the same as JSON\n"
	     "      --sysfs=DIR  read DIR instead of " UACCE_SYSFS_ROOT "\n"
	     "  -h, --help       show this help\n"
	     "  -V, --version    show the version\n"
	     "\n"
	     "FREE is the number of queues that can be opened now, MMIO and DUS are the\n"
	     "sizes of the two regions of a queue, ISOLATED says whether the device was\n"
	     "taken out of service after errors; - means that the device does not tell.\n"
	     "The flag SVA (shared virtual addressing): any pointer of a program will do.\n"
	     "\n"
	     "Exit status: 0, also if there are none; 1 an error.");
}

enum { OPT_SYSFS = 256 };

static const struct option long_options[] = {
	{ "verbose", no_argument, NULL, 'v' },
	{ "json", no_argument, NULL, 'j' },
	{ "sysfs", required_argument, NULL, OPT_SYSFS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ }
};

int main(int argc, char **argv)
{
	int (*print)(const struct uacce_sysfs_list *list) = print_table;
	const char *root = UACCE_SYSFS_ROOT;
	struct uacce_sysfs_list list;
	int c, ret;

	for (;;) {
		c = getopt_long(argc, argv, "vjhV", long_options, NULL);
		if (c < 0)
			break;
		switch (c) {
		case 'v':
			if (print == print_table)
				print = print_details;
			break;
		case 'j':
			print = print_json;
			break;
		case OPT_SYSFS:
			root = optarg;
			break;
		case 'h':
			print_help();
			return 0;
		case 'V':
			puts(PROGRAM " " VERSION);
			return 0;
		default:
			fprintf(stderr, "Try '" PROGRAM " --help'.\n");
			return 1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, PROGRAM ": '%s' is one too many: there are options only\n"
			"Try '" PROGRAM " --help'.\n", argv[optind]);
		return 1;
	}

	ret = uacce_sysfs_scan(&list, root);
	if (ret) {
		fprintf(stderr, PROGRAM ": %s/class/uacce: %s\n", root,
			strerror(-ret));
		return 1;
	}
	if (!list.nr)
		fprintf(stderr, PROGRAM ": no UACCE devices%s\n",
			list.has_class ? "" : "; is the uacce module loaded?");
	if (list.nr || print == print_json)
		ret = print(&list);
	uacce_sysfs_free(&list);

	if (ret)
		fprintf(stderr, PROGRAM ": out of memory\n");
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		/* an earlier write may have failed, and nobody knows why any more */
		fprintf(stderr, PROGRAM ": cannot write all of it to standard output%s%s\n",
			errno ? ": " : "", errno ? strerror(errno) : "");
		ret = -1;
	}
	return ret ? 1 : 0;
}
