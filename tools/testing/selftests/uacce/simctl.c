// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instances of the accelerator for tests that are scripts; see carrier.h.
 *
 *	simctl check				says why there is none
 *	simctl make NAME [ATTRIBUTE=VALUE...]	prints the device's name
 *	simctl remove NAME
 *	simctl set NAME ATTRIBUTE VALUE
 *	simctl get NAME ATTRIBUTE
 *	simctl release NAME			nothing is held, delayed or made to fail
 *	simctl never NAME			says what happened that never must
 *
 * Exit status 4 (skip): there is no such thing on this carrier.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest.h"
#include "sim.h"

static int fail(int err, const char *what)
{
	printf("%s: %s\n", what, strerror(-err));
	return err == -EOPNOTSUPP || err == -ENODEV ? KSFT_SKIP : KSFT_FAIL;
}

static int make(struct sim *sim, const char *name, int n, char **attrs)
{
	struct sim_config cfg = {};
	int i, ret;
	char *val;

	for (i = 0; i < n; i++)
		cfg.no_sva |= !strcmp(attrs[i], "sva=0");
	ret = sim_create_idle(sim, name, &cfg);
	if (ret)
		return fail(ret, name);

	for (i = 0; !ret && i < n; i++) {
		val = strchr(attrs[i], '=');
		if (!val)
			return fail(-EINVAL, attrs[i]);
		*val++ = '\0';
		if (strcmp(attrs[i], "sva"))
			ret = sim_set(sim, attrs[i], atol(val));
	}
	if (!ret)
		ret = sim_go_live(sim);
	if (ret) {
		sim_destroy(sim);
		return fail(ret, name);
	}
	puts(sim->dev);
	return 0;
}

static int never(const struct sim *sim)
{
	const char *name;
	int ret = 0;
	long n;
	int i;

	for (i = 0; (name = sim_never(i)); i++) {
		n = sim_stat(sim, name);
		if (n < 0)
			return fail(n, name);
		if (n) {
			printf("%s: %ld\n", name, n);
			ret = KSFT_FAIL;
		}
	}
	return ret;
}

static int release(struct sim *sim)
{
	static const char * const attrs[] = {
		"inject/hold_engine", "inject/delay_engine_ms", "inject/fail_engine",
		"inject/fail_get_queue", "inject/fail_start"
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		ret = sim_set(sim, attrs[i], 0);
		/* a carrier without it, or an instance that is gone, holds nothing */
		if (ret && ret != -EOPNOTSUPP && ret != -ENOENT)
			return fail(ret, attrs[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sim sim = {};
	const char *why, *command = argc > 1 ? argv[1] : "";
	char text[128];
	int ret;

	why = sim_unavailable();
	if (why) {
		puts(why);
		return KSFT_SKIP;
	}

	if (!strcmp(command, "check"))
		return 0;

	if (argc > 2)
		snprintf(sim.name, sizeof(sim.name), "%s", argv[2]);
	if (!strcmp(command, "make") && argc > 2)
		return make(&sim, argv[2], argc - 3, argv + 3);
	if (!strcmp(command, "remove") && argc == 3) {
		ret = sim_destroy(&sim);
		return ret ? fail(ret, sim.name) : 0;
	}
	if (!strcmp(command, "set") && argc == 5) {
		ret = sim_set(&sim, argv[3], atol(argv[4]));
		return ret ? fail(ret, argv[3]) : 0;
	}
	if (!strcmp(command, "get") && argc == 4) {
		ret = sim_gets(&sim, argv[3], text, sizeof(text));
		if (ret < 0)
			return fail(ret, argv[3]);
		puts(text);
		return 0;
	}
	if (!strcmp(command, "release") && argc == 3)
		return release(&sim);
	if (!strcmp(command, "never") && argc == 3)
		return never(&sim);
	fprintf(stderr, "usage: simctl check|make|remove|set|get|release|never [NAME ...]\n");
	return KSFT_FAIL;
}
