/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A peer is another process, with an address space of its own, that does what
 * the test tells it to, step by step.
 *
 * It is a fork of the test, so that a function of the test's is at the same
 * address in it, and memory that the test has not shared is its own copy.
 */
#ifndef SELFTESTS_UACCE_PEER_H
#define SELFTESTS_UACCE_PEER_H

#include <stdbool.h>
#include <sys/types.h>

struct sim;

struct peer {
	pid_t pid;
	int sock;
};

typedef long (*peer_fn)(long a, long b, long c);

int peer_start(struct peer *peer);

/* Runs @fn in the peer: what it returned, or -EPIPE if the peer died */
long peer_call(struct peer *peer, peer_fn fn, long a, long b, long c);
/* The two halves of it, for calls that are to block. -ETIMEDOUT */
int peer_send(struct peer *peer, peer_fn fn, long a, long b, long c);
long peer_recv(struct peer *peer);
bool peer_answered(struct peer *peer);	/* without waiting */

/* Passes a descriptor on by SCM_RIGHTS. Both return its number over there. */
int peer_give_fd(struct peer *peer, int fd);
int peer_take_fd(struct peer *peer, int fd);

/* Lets it _exit(0), or kills it, and waits until it is gone. -ETIMEDOUT */
int peer_exit(struct peer *peer);
int peer_kill(struct peer *peer);
/* Only asks it to: for an exit that is to block */
int peer_begin_exit(struct peer *peer);
int peer_begin_kill(struct peer *peer);
int peer_wait(struct peer *peer);

/*
 * Kills all other processes of the caller's process group and waits until they
 * are gone. The harness puts every test in a group of its own.
 */
int reap_group(void);
/* waitpid() with a limit: 0, or -ETIMEDOUT */
int wait_pid(pid_t pid, int *status);

/*
 * Runs @fn in a process made with CLONE_VM: another process, with a table of
 * files of its own, in the caller's address space.
 */
long clone_vm_call(peer_fn fn, long a, long b, long c);

/*
 * Waits until the state of thread @tid is one of these letters, or until it sleeps in
 * the kernel. -ETIMEDOUT. Its process must not be about to exit, unless a thread of it
 * is held: who reads the state holds the address space for a moment, and might be the
 * last one to.
 */
int wait_state(pid_t tid, const char *states);
int wait_asleep(pid_t tid);

/*
 * Runs @fn in a thread of the peer, which does what it is told meanwhile; see bg.h.
 * One at a time.
 */
int peer_bg_start(struct peer *peer, peer_fn fn, long arg);
bool peer_bg_done(struct peer *peer);
long peer_bg_wait(struct peer *peer);
int peer_bg_wait_asleep(struct peer *peer);

/* Calls that peers make often; see sim.h for what they return */
int peer_open(struct peer *peer, const struct sim *sim);
int peer_q_start(struct peer *peer, int fd);
int peer_q_put(struct peer *peer, int fd);
int peer_q_poll(struct peer *peer, int fd, int timeout_ms);
int peer_close(struct peer *peer, int fd);

#endif
