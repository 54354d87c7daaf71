// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other processes that do what the test tells them to.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "bg.h"
#include "peer.h"
#include "sim.h"

enum { PEER_CALL, PEER_GIVE, PEER_TAKE, PEER_EXIT };

struct peer_msg {
	int kind;
	peer_fn fn;
	long arg[3];
};

/* The test's ends of the sockets: a later peer may not keep them open */
#define MAX_PEERS	64
static int socks[MAX_PEERS];
static int n_socks;

static int send_msg(int sock, const void *data, size_t len, int fd)
{
	char ctl[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd >= 0) {
		msg.msg_control = ctl;
		msg.msg_controllen = sizeof(ctl);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* 0, -EPIPE at the end, or -errno. *@fd is -1 if none came. */
static int recv_msg(int sock, void *data, size_t len, int *fd)
{
	char ctl[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ctl,
		.msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	do {
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (!n)
		return -EPIPE;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return (size_t)n == len ? 0 : -EIO;
}

static void peer_loop(int sock)
{
	struct peer_msg m;
	long ret;
	int fd;

	while (!recv_msg(sock, &m, sizeof(m), &fd)) {
		int out = -1;

		switch (m.kind) {
		case PEER_CALL:
			ret = m.fn(m.arg[0], m.arg[1], m.arg[2]);
			break;
		case PEER_GIVE:
			ret = fd;
			break;
		case PEER_TAKE:
			ret = 0;
			out = m.arg[0];
			break;
		default:
			_exit(0);
		}
		if (send_msg(sock, &ret, sizeof(ret), out))
			break;
	}
	_exit(0);
}

int peer_start(struct peer *peer)
{
	int sv[2];
	pid_t pid;
	int i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		return -errno;
	/* what is still in stdio's buffers would be written twice */
	fflush(NULL);
	/* @peer may be in shared memory, so only the parent writes to it */
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(sv[0]);
		close(sv[1]);
		return err;
	}
	if (!pid) {
		close(sv[0]);
		for (i = 0; i < n_socks; i++)
			close(socks[i]);
		peer_loop(sv[1]);
	}
	close(sv[1]);
	peer->pid = pid;
	peer->sock = sv[0];
	if (n_socks < MAX_PEERS)
		socks[n_socks++] = sv[0];
	return 0;
}

static void forget_sock(int sock)
{
	int i;

	for (i = 0; i < n_socks; i++) {
		if (socks[i] == sock) {
			socks[i] = socks[--n_socks];
			break;
		}
	}
	close(sock);
}

static long get_answer(struct peer *peer, int *fd)
{
	struct pollfd pfd = { .fd = peer->sock, .events = POLLIN };
	long answer;
	int ret;

	*fd = -1;
	if (poll(&pfd, 1, SIM_TIMEOUT_MS) != 1)
		return -ETIMEDOUT;
	ret = recv_msg(peer->sock, &answer, sizeof(answer), fd);
	return ret ? ret : answer;
}

int peer_send(struct peer *peer, peer_fn fn, long a, long b, long c)
{
	struct peer_msg m = {
		.kind = PEER_CALL, .fn = fn, .arg = { a, b, c },
	};

	return send_msg(peer->sock, &m, sizeof(m), -1);
}

long peer_recv(struct peer *peer)
{
	int fd;

	return get_answer(peer, &fd);
}

bool peer_answered(struct peer *peer)
{
	struct pollfd pfd = { .fd = peer->sock, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

long peer_call(struct peer *peer, peer_fn fn, long a, long b, long c)
{
	int ret = peer_send(peer, fn, a, b, c);

	return ret ? ret : peer_recv(peer);
}

int peer_give_fd(struct peer *peer, int fd)
{
	struct peer_msg m = { .kind = PEER_GIVE };
	int ret = send_msg(peer->sock, &m, sizeof(m), fd);

	return ret ? ret : (int)peer_recv(peer);
}

int peer_take_fd(struct peer *peer, int fd)
{
	struct peer_msg m = { .kind = PEER_TAKE, .arg = { fd } };
	int ret = send_msg(peer->sock, &m, sizeof(m), -1);
	int got;

	if (ret)
		return ret;
	ret = get_answer(peer, &got);
	if (ret)
		return ret;
	return got < 0 ? -EBADF : got;
}

int peer_begin_exit(struct peer *peer)
{
	struct peer_msg m = { .kind = PEER_EXIT };

	return send_msg(peer->sock, &m, sizeof(m), -1);
}

int peer_begin_kill(struct peer *peer)
{
	return kill(peer->pid, SIGKILL) ? -errno : 0;
}

int wait_pid(pid_t pid, int *status)
{
	struct pollfd pfd = { .events = POLLIN };
	int ret;

	pfd.fd = syscall(SYS_pidfd_open, pid, 0);
	if (pfd.fd < 0)
		return -errno;
	ret = poll(&pfd, 1, SIM_TIMEOUT_MS);
	close(pfd.fd);
	if (ret != 1)
		return -ETIMEDOUT;
	return waitpid(pid, status, 0) == pid ? 0 : -errno;
}

int peer_wait(struct peer *peer)
{
	int status;
	int ret = wait_pid(peer->pid, &status);

	if (!ret) {
		forget_sock(peer->sock);
		peer->sock = -1;
	}
	return ret;
}

int peer_exit(struct peer *peer)
{
	int ret = peer_begin_exit(peer);

	return ret ? ret : peer_wait(peer);
}

int peer_kill(struct peer *peer)
{
	int ret = peer_begin_kill(peer);

	return ret ? ret : peer_wait(peer);
}

/* State and process group, from what follows the name in the stat file */
static int read_stat(pid_t pid, char *state, pid_t *group)
{
	char path[32], stat[512];
	char *p;
	int ret;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	ret = read_file(path, stat, sizeof(stat));
	if (ret < 0)
		return ret;
	p = strrchr(stat, ')');
	if (!p || sscanf(p + 1, " %c %*d %d", state, group) != 2)
		return -EINVAL;
	return 0;
}

static bool in_group(pid_t pid, pid_t group)
{
	char state;
	pid_t g;

	return !read_stat(pid, &state, &g) && g == group && state != 'Z' &&
	       state != 'X';
}

int wait_state(pid_t tid, const char *states)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	pid_t group;
	char state;
	int ret;

	for (;;) {
		ret = read_stat(tid, &state, &group);
		if (ret)
			return ret;
		if (strchr(states, state))
			return 0;
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
}

int wait_asleep(pid_t tid)
{
	/* interruptible or not, or idle as for the simulator's holds */
	return wait_state(tid, "SDI");
}

struct vm_call {
	peer_fn fn;
	long arg[3];
	long ret;
};

static int vm_child(void *arg)
{
	struct vm_call *call = arg;

	call->ret = call->fn(call->arg[0], call->arg[1], call->arg[2]);
	return 0;
}

long clone_vm_call(peer_fn fn, long a, long b, long c)
{
	static long double stack[4096];	/* for its alignment */
	struct vm_call call = { .fn = fn, .arg = { a, b, c }, .ret = -ECHILD };
	int pid, err;

	/* CLONE_VFORK: the caller waits, so that the two can share errno */
	pid = clone(vm_child, stack + ARRAY_SIZE(stack),
		    CLONE_VM | CLONE_VFORK | SIGCHLD, &call);
	if (pid < 0)
		return -errno;
	err = wait_pid(pid, NULL);
	return err ? err : call.ret;
}

int reap_group(void)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	pid_t group = getpgrp();
	struct dirent *d;
	int left;
	DIR *dir;

	do {
		dir = opendir("/proc");
		if (!dir)
			return -errno;
		left = 0;
		while ((d = readdir(dir))) {
			pid_t pid = atoi(d->d_name);

			if (!isdigit((unsigned char)d->d_name[0]) ||
			    pid == getpid() || !in_group(pid, group))
				continue;
			kill(pid, SIGKILL);
			left++;
		}
		closedir(dir);
		if (!left)
			return 0;
		nap();
	} while (now_ms() < end);
	return -ETIMEDOUT;
}

static long do_open(long sim, long unused1, long unused2)
{
	return q_open((const struct sim *)sim);
}

static long do_start(long fd, long unused1, long unused2)
{
	return q_start(fd);
}

static long do_put(long fd, long unused1, long unused2)
{
	return q_put(fd);
}

static long do_poll(long fd, long timeout_ms, long unused)
{
	return q_poll(fd, timeout_ms);
}

static long do_close(long fd, long unused1, long unused2)
{
	return close(fd) ? -errno : 0;
}

/* Of the peer itself */
static struct bg own_bg;

static long do_bg_start(long fn, long arg, long unused)
{
	return bg_start(&own_bg, (bg_fn)fn, arg, 0, 0);
}

static long do_bg_done(long unused1, long unused2, long unused3)
{
	return bg_done(&own_bg);
}

static long do_bg_wait(long unused1, long unused2, long unused3)
{
	return bg_wait(&own_bg);
}

static long do_bg_wait_asleep(long unused1, long unused2, long unused3)
{
	return bg_wait_asleep(&own_bg);
}

int peer_bg_start(struct peer *peer, peer_fn fn, long arg)
{
	return peer_call(peer, do_bg_start, (long)fn, arg, 0);
}

bool peer_bg_done(struct peer *peer)
{
	return peer_call(peer, do_bg_done, 0, 0, 0);
}

long peer_bg_wait(struct peer *peer)
{
	return peer_call(peer, do_bg_wait, 0, 0, 0);
}

int peer_bg_wait_asleep(struct peer *peer)
{
	return peer_call(peer, do_bg_wait_asleep, 0, 0, 0);
}

int peer_open(struct peer *peer, const struct sim *sim)
{
	return peer_call(peer, do_open, (long)sim, 0, 0);
}

int peer_q_start(struct peer *peer, int fd)
{
	return peer_call(peer, do_start, fd, 0, 0);
}

int peer_q_put(struct peer *peer, int fd)
{
	return peer_call(peer, do_put, fd, 0, 0);
}

int peer_q_poll(struct peer *peer, int fd, int timeout_ms)
{
	return peer_call(peer, do_poll, fd, timeout_ms, 0);
}

int peer_close(struct peer *peer, int fd)
{
	return peer_call(peer, do_close, fd, 0, 0);
}
