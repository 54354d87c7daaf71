// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vaccel queue with memory that its device can reach.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "sim.h"
#include "vq.h"

/* user_data of the descriptor with index n is SERIAL + n */
#define SERIAL	0x5eed000000000000ULL

int vq_open(struct vq *vq, const struct sim *sim)
{
	int ret;

	memset(vq, 0, sizeof(*vq));
	ret = vaccel_queue_open(&vq->q, sim->node);
	if (ret)
		return ret;

	vq->sva = vq->q.info.flags & UACCE_DEV_SVA;
	vq->serial = SERIAL;
	if (!vq->sva) {
		vq->mem = (__u8 *)vq->q.dus + VACCEL_DATA_OFFSET;
		return 0;
	}

	vq->mem = mmap(NULL, VQ_MEM, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vq->mem == MAP_FAILED) {
		vaccel_queue_close(&vq->q);
		return -ENOMEM;
	}
	return 0;
}

void vq_close(struct vq *vq)
{
	vaccel_queue_close(&vq->q);
	if (vq->sva)
		munmap(vq->mem, VQ_MEM);
	vq->mem = NULL;
}

__u64 vq_addr(const struct vq *vq, const void *p)
{
	if (vq->sva)
		return (unsigned long)p;
	return (const __u8 *)p - (__u8 *)vq->q.dus;
}

struct vaccel_desc d_raw(unsigned int opcode, __u64 src, size_t src_len,
			 __u64 dst, size_t dst_len)
{
	struct vaccel_desc d = {
		.opcode = opcode,
		.src = htole64(src),
		.dst = htole64(dst),
		.src_len = htole32(src_len),
		.dst_len = htole32(dst_len),
	};

	return d;
}

struct vaccel_desc d_nop(void)
{
	return d_raw(VACCEL_OP_NOP, 0, 0, 0, 0);
}

struct vaccel_desc d_copy(const struct vq *vq, const void *src, void *dst,
			  size_t len)
{
	return d_raw(VACCEL_OP_COPY, vq_addr(vq, src), len, vq_addr(vq, dst),
		     len);
}

struct vaccel_desc d_fill(const struct vq *vq, void *dst, size_t len,
			  __u64 pattern)
{
	struct vaccel_desc d = d_raw(VACCEL_OP_FILL, 0, 0, vq_addr(vq, dst),
				     len);

	d.param = htole64(pattern);
	return d;
}

struct vaccel_desc d_crc(const struct vq *vq, const void *src, size_t len,
			 __u32 seed)
{
	struct vaccel_desc d = d_raw(VACCEL_OP_CRC32, vq_addr(vq, src), len, 0,
				     0);

	d.param = htole64(seed);
	return d;
}

struct vaccel_desc d_flate(const struct vq *vq, unsigned int opcode,
			   unsigned int flags, const void *src, size_t src_len,
			   void *dst, size_t dst_len)
{
	struct vaccel_desc d = d_raw(opcode, vq_addr(vq, src), src_len,
				     vq_addr(vq, dst), dst_len);

	d.flags = flags;
	return d;
}

long vq_submit(struct vq *vq, const struct vaccel_desc *d)
{
	__u32 index = vq->q.sq_tail;
	struct vaccel_desc copy = *d;
	int ret;

	copy.user_data = htole64(vq->serial + index);
	ret = vaccel_submit(&vq->q, &copy);
	if (ret)
		return ret;
	return index;
}

static int wrong(const char *what, __u64 seen, __u64 want)
{
	fprintf(stderr, "# completion: %s is %#llx, not %#llx\n", what,
		(unsigned long long)seen, (unsigned long long)want);
	return -EBADMSG;
}

static int check_done(const struct vq *vq, const struct vaccel_cqe *cqe,
		      const struct vq_done *done)
{
	/* each descriptor has one completion: the indices run in step */
	__u32 index = vq->q.cq_head - 1;

	if (done->user_data != vq->serial + index)
		return wrong("user_data", done->user_data, vq->serial + index);
	if (le32toh(cqe->sq_head) != index + 1)
		return wrong("sq_head", le32toh(cqe->sq_head), index + 1);
	if (done->status <= VACCEL_ST_MORE)
		return 0;
	if (done->produced)
		return wrong("produced after an error", done->produced, 0);
	if (done->consumed)
		return wrong("consumed after an error", done->consumed, 0);
	if (done->result && done->status != VACCEL_ST_FAULT_READ &&
	    done->status != VACCEL_ST_FAULT_WRITE)
		return wrong("result after an error", done->result, 0);
	return 0;
}

int vq_wait(struct vq *vq, struct vq_done *done)
{
	struct vq_done unused;
	struct vaccel_cqe cqe;
	int ret;

	if (!done)
		done = &unused;
	memset(done, 0, sizeof(*done));
	ret = vaccel_wait(&vq->q, &cqe, SIM_TIMEOUT_MS);
	if (ret <= 0)
		return ret ? ret : -ETIMEDOUT;

	done->status = le32toh(cqe.status);
	done->produced = le32toh(cqe.produced);
	done->consumed = le32toh(cqe.consumed);
	done->result = le64toh(cqe.result);
	done->user_data = le64toh(cqe.user_data);
	ret = check_done(vq, &cqe, done);
	return ret ? ret : (int)done->status;
}

int vq_run(struct vq *vq, const struct vaccel_desc *d, struct vq_done *done)
{
	long ret = vq_submit(vq, d);

	return ret < 0 ? ret : vq_wait(vq, done);
}

int vq_restart(struct vq *vq)
{
	int ret = vaccel_queue_stop(&vq->q);

	/* a completion from before must not pass for a new one */
	vq->serial += 1ULL << 32;
	return ret ? ret : vaccel_queue_start(&vq->q);
}

struct vaccel_ctrl *vq_ctrl(const struct vq *vq)
{
	return (void *)((char *)vq->q.dus + VACCEL_CTRL_OFFSET);
}

struct vaccel_desc *vq_sq(const struct vq *vq, __u32 index)
{
	struct vaccel_desc *sq = (void *)((char *)vq->q.dus + VACCEL_SQ_OFFSET);

	return sq + index % VACCEL_RING_ENTRIES;
}

struct vaccel_cqe *vq_cq(const struct vq *vq, __u32 index)
{
	struct vaccel_cqe *cq = (void *)((char *)vq->q.dus + VACCEL_CQ_OFFSET);

	return cq + index % VACCEL_RING_ENTRIES;
}

static __u64 *reg_ptr(const struct vq *vq, unsigned int reg)
{
	return (void *)((char *)vq->q.mmio + reg);
}

__u64 vq_reg(const struct vq *vq, unsigned int reg)
{
	return le64toh(__atomic_load_n(reg_ptr(vq, reg), __ATOMIC_ACQUIRE));
}

void vq_set_reg(const struct vq *vq, unsigned int reg, __u64 val)
{
	__atomic_store_n(reg_ptr(vq, reg), htole64(val), __ATOMIC_SEQ_CST);
}

static __u32 ctrl_load(const __le32 *p)
{
	return le32toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

__u32 vq_sq_head(const struct vq *vq)
{
	return ctrl_load(&vq_ctrl(vq)->sq_head);
}

__u32 vq_cq_tail(const struct vq *vq)
{
	return ctrl_load(&vq_ctrl(vq)->cq_tail);
}

bool vq_asleep(const struct vq *vq)
{
	return ctrl_load(&vq_ctrl(vq)->flags) & VACCEL_CTRL_NEED_WAKEUP;
}

static int wait_word(const __le32 *word, __u32 mask, __u32 want)
{
	long end = now_ms() + SIM_TIMEOUT_MS;

	while ((ctrl_load(word) & mask) != want) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
	}
	return 0;
}

int vq_wait_cq_tail(const struct vq *vq, __u32 want)
{
	return wait_word(&vq_ctrl(vq)->cq_tail, ~0U, want);
}

int vq_wait_asleep(const struct vq *vq)
{
	/* Hardware sees its doorbells, so it never says that it sleeps. */
	if (!sim_is_simulated())
		sim_skip("the engine of this carrier does not sleep");
	return wait_word(&vq_ctrl(vq)->flags, VACCEL_CTRL_NEED_WAKEUP,
			 VACCEL_CTRL_NEED_WAKEUP);
}

/* splitmix64 */
__u64 rnd(__u64 *state)
{
	__u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

void make_text(__u8 *buf, size_t len, __u64 seed)
{
	static const char * const words[] = {
		"queue", "of ", "the ", "address", " space", "\n", "device ",
		"page", " ", "and ", "ring ", "fault", "bind ", "a", "is ", "in ",
	};
	size_t pos = 0, n;
	const char *w;

	while (pos < len) {
		w = words[rnd(&seed) % 16];
		n = strlen(w);
		if (n > len - pos)
			n = len - pos;
		memcpy(buf + pos, w, n);
		pos += n;
	}
}

void make_noise(__u8 *buf, size_t len, __u64 seed)
{
	while (len--)
		*buf++ = rnd(&seed);
}

bool all_bytes(const __u8 *buf, size_t len, __u8 value)
{
	return !len || (*buf == value && !memcmp(buf, buf + 1, len - 1));
}

static bool sleeps_in_poll(const char *task)
{
	char path[320], text[128];
	char *end;
	long nr;

	snprintf(path, sizeof(path), "/proc/self/task/%s/syscall", task);
	if (read_file(path, text, sizeof(text)) < 0)
		return false;
	/* "running" for a task that does not sleep */
	nr = strtol(text, &end, 10);
	if (end == text)
		return false;
#ifdef __NR_poll
	if (nr == __NR_poll)
		return true;
#endif
	return nr == __NR_ppoll;
}

int wait_poller(void)
{
	long end = now_ms() + SIM_TIMEOUT_MS;
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	while (!found) {
		if (now_ms() > end)
			return -ETIMEDOUT;
		nap();
		dir = opendir("/proc/self/task");
		if (!dir)
			return -errno;
		while (!found && (entry = readdir(dir)))
			found = sleeps_in_poll(entry->d_name);
		closedir(dir);
	}
	return 0;
}
