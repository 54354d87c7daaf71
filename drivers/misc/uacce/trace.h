/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: the life of bonds and queues, for administrators who want to know
 * what happened, and in which order.
 *
 * An op is traced when it is over, so that its line is where its effect is.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM uacce

#if !defined(_UACCE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _UACCE_TRACE_H

#include <linux/tracepoint.h>

#include "uacce_private.h"

DECLARE_EVENT_CLASS(uacce_bond,
	TP_PROTO(const struct uacce_mm *bond, u32 pasid),
	TP_ARGS(bond, pasid),
	TP_STRUCT__entry(
		__string(dev, dev_name(&bond->uacce->dev))
		__field(u32, pasid)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->pasid = pasid;
	),
	TP_printk("dev=%s pasid=%u", __get_str(dev), __entry->pasid)
);

/* An address space was bound to a device. */
DEFINE_EVENT(uacce_bond, uacce_bind,
	TP_PROTO(const struct uacce_mm *bond, u32 pasid),
	TP_ARGS(bond, pasid)
);

/* It was unbound. */
DEFINE_EVENT(uacce_bond, uacce_unbind,
	TP_PROTO(const struct uacce_mm *bond, u32 pasid),
	TP_ARGS(bond, pasid)
);

/* It died, and with it each of its queues that is not closed yet. */
DEFINE_EVENT(uacce_bond, uacce_mm_exit,
	TP_PROTO(const struct uacce_mm *bond, u32 pasid),
	TP_ARGS(bond, pasid)
);

/* All its queues are stopped. */
DEFINE_EVENT(uacce_bond, uacce_mm_exit_done,
	TP_PROTO(const struct uacce_mm *bond, u32 pasid),
	TP_ARGS(bond, pasid)
);

DECLARE_EVENT_CLASS(uacce_op,
	TP_PROTO(const struct uacce_queue *q, int ret),
	TP_ARGS(q, ret),
	TP_STRUCT__entry(
		__string(dev, dev_name(&q->uacce->dev))
		__field(u32, queue)
		__field(u32, pasid)
		__field(int, ret)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->queue = q->id;
		__entry->pasid = q->pasid;
		__entry->ret = ret;
	),
	TP_printk("dev=%s queue=%u pasid=%u ret=%d", __get_str(dev),
		  __entry->queue, __entry->pasid, __entry->ret)
);

DEFINE_EVENT(uacce_op, uacce_get_queue,
	TP_PROTO(const struct uacce_queue *q, int ret),
	TP_ARGS(q, ret)
);

DEFINE_EVENT(uacce_op, uacce_put_queue,
	TP_PROTO(const struct uacce_queue *q, int ret),
	TP_ARGS(q, ret)
);

DEFINE_EVENT(uacce_op, uacce_start_queue,
	TP_PROTO(const struct uacce_queue *q, int ret),
	TP_ARGS(q, ret)
);

DEFINE_EVENT(uacce_op, uacce_stop_queue,
	TP_PROTO(const struct uacce_queue *q, int ret),
	TP_ARGS(q, ret)
);

DECLARE_EVENT_CLASS(uacce_device,
	TP_PROTO(const struct uacce_device *uacce),
	TP_ARGS(uacce),
	TP_STRUCT__entry(
		__string(dev, dev_name(&uacce->dev))
	),
	TP_fast_assign(
		__assign_str(dev);
	),
	TP_printk("dev=%s", __get_str(dev))
);

DEFINE_EVENT(uacce_device, uacce_register,
	TP_PROTO(const struct uacce_device *uacce),
	TP_ARGS(uacce)
);

/* The device begins to go. */
DEFINE_EVENT(uacce_device, uacce_remove,
	TP_PROTO(const struct uacce_device *uacce),
	TP_ARGS(uacce)
);

/* Every queue is stopped, unmapped and put, every address space unbound. */
DEFINE_EVENT(uacce_device, uacce_remove_done,
	TP_PROTO(const struct uacce_device *uacce),
	TP_ARGS(uacce)
);

#endif /* _UACCE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
