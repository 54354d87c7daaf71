/* SPDX-License-Identifier: GPL-2.0+ WITH Linux-syscall-note */
/*
 * User interface of UACCE: hand work to a hardware accelerator without system
 * calls on the data path.
 *
 * An accelerator is a character device, /dev/<name>-<N>. Each open() of it
 * takes one hardware queue. Its life:
 *
 *	fd = open("/dev/<name>-<N>", O_RDWR | O_CLOEXEC);
 *	mmio = mmap(NULL, region_mmio_size, PROT_READ | PROT_WRITE, MAP_SHARED,
 *		    fd, UACCE_QFRT_MMIO * page_size);
 *	dus = mmap(NULL, region_dus_size, PROT_READ | PROT_WRITE, MAP_SHARED,
 *		   fd, UACCE_QFRT_DUS * page_size);
 *	ioctl(fd, UACCE_CMD_START_Q);
 *	...			work is passed through mmio and dus,
 *				poll(fd) sleeps until some of it is done
 *	ioctl(fd, UACCE_CMD_PUT_Q);
 *	close(fd);
 *
 * The sizes of the regions are in /sys/class/uacce/<name>-<N>/. What the
 * regions hold is a matter between the driver and its user library; sysfs "api"
 * names that contract.
 *
 * Whose memory the accelerator sees
 *
 * On a device with UACCE_DEV_SVA, a queue works on the address space of the
 * process that opened it: pointers put in the rings are that process's own. The
 * queue belongs to that address space, not to a task and not to the file
 * descriptor. Threads, and processes made with CLONE_VM, share it. A child made
 * by fork() has another address space: it inherits the descriptor, but ioctl()
 * and mmap() on it fail with EPERM, and so they do for a process that got the
 * descriptor over a socket. poll() and close() work for every holder. When the
 * address space dies (its last user exits, is killed, or calls execve()), the
 * queue is stopped for good, whoever still holds the descriptor.
 *
 * A dead queue
 *
 * A queue is also stopped for good when its device goes away. From then on
 * ioctl() and mmap() fail with ENXIO, poll() returns EPOLLERR | EPOLLHUP at
 * once, touching a mapped region raises SIGBUS, and only close() is of use.
 */
#ifndef _UAPIUUACCE_H
#define _UAPIUUACCE_H

#include <linux/types.h>
#include <linux/ioctl.h>

/*
 * UACCE_CMD_START_Q: let the queue take work.
 *
 * Fails with EINVAL if the queue is started already, EPERM if the caller's
 * address space is not the one that the queue belongs to, ENXIO if the queue is
 * dead, or with the driver's error.
 */
#define UACCE_CMD_START_Q	_IO('W', 0)

/*
 * UACCE_CMD_PUT_Q: stop the queue now.
 *
 * The queue keeps its hardware and its mappings and can be started again.
 * Stopping a queue that is not started does nothing and returns 0. EPERM and
 * ENXIO as above.
 */
#define UACCE_CMD_PUT_Q		_IO('W', 1)

/*
 * Device flags, a decimal number in sysfs "flags".
 *
 * UACCE_DEV_SVA: Shared Virtual Addressing. The device knows address spaces
 *		  (PASID) and waits for pages that are not there yet (PCI PRI or
 *		  SMMU stall), so that any pointer of the process will do.
 */
#define UACCE_DEV_SVA		(1U << 0)

/**
 * enum uacce_qfrt - queue file region type, the page offset given to mmap()
 * @UACCE_QFRT_MMIO: registers of the device
 * @UACCE_QFRT_DUS: memory shared between device and user
 */
enum uacce_qfrt {
	UACCE_QFRT_MMIO = 0,
	UACCE_QFRT_DUS = 1,
};

#endif
