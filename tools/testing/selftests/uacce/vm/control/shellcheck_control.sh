#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Deliberately wrong: a check that does not flag this file did not run.
rm -rf $1/*
