// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random torture: children, and descriptors that wander.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"
#include "vq.h"

/*
 * What a stranger is told. The queue's address space may have died at any time, so
 * it may always be dead, if it has one.
 */
static int ask_as_stranger(struct actor *a, struct queue *q)
{
	bool sva = q->target->sim.sva;
	struct vaccel_info info;
	struct call c;
	void *p;
	long ret;

	call_begin(&c, a, q->target, NULL, "INFO by a stranger");
	switch (pick(a, sva ? 5 : 2)) {
	case 0:
		ret = q_info(q->q.fd, &info);
		break;
	case 1:
		c.name = "an unknown ioctl by a stranger";
		ret = q_ioctl(q->q.fd, _IO('W', 0x7f), NULL);
		break;
	case 2:
		c.name = "START_Q by a stranger";
		ret = q_start(q->q.fd);
		break;
	case 3:
		c.name = "PUT_Q by a stranger";
		ret = q_put(q->q.fd);
		break;
	default:
		c.name = "mmap by a stranger";
		ret = q_mmap(q->q.fd, UACCE_QFRT_MMIO, PAGE, &p);
	}
	if (sva) {
		call_right(&c, -EPERM);
		call_right(&c, -ENXIO);
	} else {
		call_right(&c, strcmp(c.name, "INFO by a stranger") ? -ENOTTY : 0);
		if (queue_may_be_dead(q))
			call_right(&c, -ENXIO);
	}
	return call_end(&c, ret);
}

static int poll_as_stranger(struct actor *a, struct queue *q)
{
	int ret = q_poll(q->q.fd, 0);

	if (ret && ret != POLLIN &&
	    !(ret == POLL_DEAD && (q->target->sim.sva || queue_may_be_dead(q))))
		return fail(a, "poll by a stranger: %d", ret);
	return 0;
}

/* The parent is dead, and so is its address space, or will be in a moment */
static int see_it_die(struct actor *a, struct queue *q)
{
	struct pollfd pfd = { .fd = q->q.fd };
	struct vaccel_info info;
	int ret;

	if (!q->target->sim.sva)
		return 0;
	if (poll(&pfd, 1, PATIENCE_MS) != 1)
		return fail(a, "a queue survives its address space");
	ret = q_info(q->q.fd, &info);
	return ret == -ENXIO ? 0 :
	       fail(a, "INFO of a queue whose address space is dead: %d", ret);
}

static void become_another_program(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, 1);
		dup2(null, 2);
	}
	/* which prints its usage and goes, with KSFT_SKIP */
	execl("/proc/self/exe", "stress_test", "-h", NULL);
	_exit(1);
}

/* Lets all descriptors of queues go but that of @keep */
static void inherit_only(struct actor *a, struct queue *keep)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++) {
		if (&a->slots[i] != keep && a->slots[i].q.fd >= 0)
			close(a->slots[i].q.fd);
	}
	if (a->guest.q.q.fd >= 0)
		close(a->guest.q.q.fd);
	close(a->common->fd);
}

/* A child that has its parent's queue, for a while or until the parent dies */
static int linger(struct actor *a, struct queue *q, pid_t parent)
{
	unsigned int n = 1 + pick(a, 100);

	inherit_only(a, q);
	while (n-- && !stress_over()) {
		if (ask_as_stranger(a, q) || poll_as_stranger(a, q))
			return -1;
		if (getppid() != parent)
			return see_it_die(a, q);
		nap();
	}
	return 0;
}

/* A child that has a queue of its own at work, and comes to an end */
static int die_at_work(struct actor *a)
{
	struct queue q;
	int ret;

	ret = queue_open(a, &q);
	if (ret || q.q.fd < 0)
		return ret;
	if ((queue_map(a, &q, UACCE_QFRT_MMIO) ||
	     queue_map(a, &q, UACCE_QFRT_DUS) || queue_start(a, &q)))
		return -1;
	if (!q.q.mmio || !q.q.dus || !q.started)
		return 0;
	if (q.target->sim.sva)
		work_throw(&q, q.mem.base, MEM_SIZE);
	switch (pick(a, 4)) {
	case 0:
		kill(getpid(), SIGKILL);
		break;
	case 1:		/* with it, for whatever that is worth */
		fcntl(q.q.fd, F_SETFD, 0);
		become_another_program();
		break;
	case 2:
		become_another_program();
		break;
	}
	return 0;
}

static int child_main(struct actor *a, struct queue *q, unsigned int what,
		      pid_t parent)
{
	switch (what) {
	case 0:
	case 1:
		return linger(a, q, parent);
	case 2:
		fcntl(q->q.fd, F_SETFD, 0);
		become_another_program();
		return -1;
	default:
		return die_at_work(a);
	}
}

/* @status of a child that was not killed but by itself */
static int check_status(struct actor *a, int status)
{
	if (WIFEXITED(status) && (!WEXITSTATUS(status) ||
				  WEXITSTATUS(status) == KSFT_SKIP))
		return 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return 0;
	return fail(a, "a child ends with status %#x", status);
}

static int wait_child(struct actor *a, pid_t *pid, bool now)
{
	long end = now_ms() + PATIENCE_MS;
	int status;
	pid_t ret;

	while (*pid) {
		ret = waitpid(*pid, &status, WNOHANG);
		if (ret < 0)
			return fail(a, "waitpid: errno %d", errno);
		if (ret) {
			*pid = 0;
			return check_status(a, status);
		}
		if (!now)
			break;
		if (now_ms() > end)
			return fail(a, "child %d does not end", *pid);
		nap();
	}
	return 0;
}

int children_wait(struct actor *a)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < ARRAY_SIZE(a->lingering); i++) {
		if (wait_child(a, &a->lingering[i], true))
			ret = -1;
	}
	return ret;
}

int child_blink(struct actor *a)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid < 0)
		return fail(a, "fork: errno %d", errno);
	stress_add(&stress->children, 1);
	return wait_child(a, &pid, true);
}

int op_fork(struct actor *a, struct queue *q)
{
	unsigned int i, what = pick(a, 5);
	pid_t parent = getpid(), pid;

	for (i = 0; i < ARRAY_SIZE(a->lingering); i++) {
		if (wait_child(a, &a->lingering[i], false))
			return -1;
	}
	for (i = 0; i < ARRAY_SIZE(a->lingering) && a->lingering[i]; i++)
		;
	if (i == ARRAY_SIZE(a->lingering))
		return wait_child(a, &a->lingering[0], true);

	pid = fork();
	if (!pid)
		_exit(child_main(a, q, what, parent) ? 1 : 0);
	if (pid < 0)
		return fail(a, "fork: errno %d", errno);
	stress_add(&stress->children, 1);
	a->lingering[i] = pid;
	return 0;
}

/* --- descriptors by mail: whoever looks next gets them, sender included */

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int))];
};

int op_send(struct actor *a, struct queue *q)
{
	struct letter letter = {
		.target = q->target - stress->targets,
		.made = q->made,
		.making = q->making,
		.worker = a->worker,
		.life = a->life,
	};
	union control control = {};
	struct iovec iov = { .iov_base = &letter, .iov_len = sizeof(letter) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &q->q.fd, sizeof(int));
	if (sendmsg(stress->post[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno != EAGAIN)
		return fail(a, "sendmsg: errno %d", errno);
	return 0;
}

static int take_letter(struct actor *a, struct guest *g)
{
	union control control;
	struct iovec iov = { .iov_base = &g->from, .iov_len = sizeof(g->from) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *c;

	if (recvmsg(stress->post[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return errno == EAGAIN ? 0 :
		       fail(a, "recvmsg: errno %d", errno);
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return fail(a, "recvmsg: no descriptor");
	memset(&g->q, 0, sizeof(g->q));
	memcpy(&g->q.q.fd, CMSG_DATA(c), sizeof(int));
	g->q.target = &stress->targets[g->from.target];
	g->q.made = g->from.made;
	g->q.making = g->from.making;
	return 0;
}

int op_receive(struct actor *a, struct queue *q)
{
	struct guest *g = &a->guest;

	if (g->q.q.fd >= 0 && seldom(a, 3)) {
		close(g->q.q.fd);
		g->q.q.fd = -1;
	}
	if (g->q.q.fd < 0 && take_letter(a, g))
		return -1;
	if (g->q.q.fd < 0)
		return 0;
	if (poll_as_stranger(a, &g->q))
		return -1;
	/* One that came from this very process is no stranger's. */
	if (g->from.worker == a->worker && g->from.life == a->life)
		return 0;
	return ask_as_stranger(a, &g->q);
}
