// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list as JSON: { "devices": [ { ... }, ... ] }. A value that the device
 * does not tell is null.
 */
#include <stdio.h>
#include <string.h>

#include "lsuacce.h"

/* Length of the UTF-8 character at @s, 0 if it is not one */
static size_t utf8_length(const unsigned char *s)
{
	size_t len = *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 :
		     *s < 0xf5 ? 4 : 0;
	size_t i;

	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, and what is beyond Unicode */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static void print_string_n(const char *string, size_t size)
{
	const unsigned char *s = (const unsigned char *)string;
	const unsigned char *end = s + size;
	size_t len;

	putchar('"');
	while (s < end) {
		if (*s == '"' || *s == '\\') {
			printf("\\%c", *s++);
		} else if (*s < ' ') {
			printf("\\u%04x", *s++);
		} else if (*s < 0x80) {
			putchar(*s++);
		} else {
			len = utf8_length(s);
			if (len)
				fwrite(s, 1, len, stdout);
			else
				fputs("\\ufffd", stdout);
			s += len ? len : 1;
		}
	}
	putchar('"');
}

static void print_string(const char *s)
{
	print_string_n(s, strlen(s));
}

static void print_key(const char *key)
{
	printf(",\n      \"%s\": ", key);
}

static void print_text(const char *key, const char *s)
{
	print_key(key);
	if (*s)
		print_string(s);
	else
		printf("null");
}

static void print_number(const char *key, long long number)
{
	print_key(key);
	if (number < 0)
		printf("null");
	else
		printf("%lld", number);
}

static void print_size(const char *key, unsigned long long size)
{
	print_key(key);
	printf("%llu", size);
}

static void print_bool(const char *key, int value)
{
	print_key(key);
	printf("%s", value < 0 ? "null" : value ? "true" : "false");
}

static void print_lines(const char *key, const char *s)
{
	const char *between = "";
	size_t len;

	print_key(key);
	putchar('[');
	while (*s) {
		len = strcspn(s, "\n");
		if (len) {
			printf("%s", between);
			print_string_n(s, len);
			between = ", ";
		}
		s += len + (s[len] == '\n');
	}
	putchar(']');
}

static void print_flags(const char *key, unsigned int flags)
{
	const char *between = "";
	const char *word;

	print_key(key);
	putchar('[');
	while ((word = next_flag_word(&flags))) {
		printf("%s", between);
		print_string(word);
		between = ", ";
	}
	putchar(']');
}

static void print_device(const struct uacce_sysfs *dev)
{
	printf("    {\n      \"name\": ");
	print_string(dev->name);
	print_text("dev", dev->devt);
	print_text("parent", dev->parent);
	print_text("driver", dev->driver);
	print_number("numa_node", dev->numa_node);
	print_text("api", dev->api);
	print_size("flags", dev->flags);
	print_flags("flag_names", dev->flags);
	print_lines("algorithms", dev->algorithms);
	print_number("available_instances", dev->available);
	print_size("region_mmio_size", dev->mmio_size);
	print_size("region_dus_size", dev->dus_size);
	print_bool("isolate", dev->isolate);
	print_number("isolate_strategy", dev->isolate_strategy);
	printf("\n    }");
}

int print_json(const struct uacce_sysfs_list *list)
{
	size_t i;

	printf("{\n  \"devices\": [");
	for (i = 0; i < list->nr; i++) {
		printf("%s\n", i ? "," : "");
		print_device(&list->dev[i]);
	}
	printf("%s]\n}\n", list->nr ? "\n  " : "");
	return 0;
}
