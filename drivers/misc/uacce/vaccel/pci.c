// SPDX-License-Identifier: GPL-2.0-only
/*
 * vaccel on PCI Express: probe and remove, resets, power, interrupts.
 */
#include <linux/module.h>

#include "vaccel.h"

#define VACCEL_NAME		"uacce_vaccel"

/*
 * A queue with this vector has completions, or is in ERROR. Who wakes up looks: that
 * the idle ones wake up as well is the price of sharing vectors.
 */
static irqreturn_t vaccel_queue_irq(int irq, void *data)
{
	struct vaccel_queue *first = data;
	struct vaccel *vaccel = first->vaccel;
	unsigned int i;

	for (i = first->id; i < vaccel->nr_queues; i += vaccel->nr_vectors) {
		/* Put waits for us, so it stays until we return. */
		struct uacce_queue *uq = READ_ONCE(vaccel->queues[i].uq);

		if (uq)
			wake_up_interruptible(&uq->wait);
	}

	return IRQ_HANDLED;
}

static bool vaccel_is_fatal(struct vaccel *vaccel)
{
	return readl(vaccel->ctrl + VACCEL_PCI_STATUS) & VACCEL_PCI_STATUS_FATAL;
}

/*
 * The device failed. It has put its queues in ERROR itself, and told their users.
 * To reset it is left to the administrator.
 */
static irqreturn_t vaccel_device_irq(int irq, void *data)
{
	struct vaccel *vaccel = data;

	if (READ_ONCE(vaccel->online) && !READ_ONCE(vaccel->fatal) &&
	    vaccel_is_fatal(vaccel)) {
		WRITE_ONCE(vaccel->fatal, true);
		dev_err(&vaccel->pdev->dev,
			"the device failed; it can be used again after a reset\n");
	}

	return IRQ_HANDLED;
}

/* Keep the device from memory, and us from the device. What was started has failed. */
void vaccel_cut_off_locked(struct vaccel *vaccel)
{
	unsigned int i;

	lockdep_assert_held(&vaccel->state_lock);

	pci_clear_master(vaccel->pdev);
	WRITE_ONCE(vaccel->online, false);
	for (i = 0; i < vaccel->nr_queues; i++) {
		struct vaccel_queue *q = &vaccel->queues[i];

		/* Who held this is done with the registers, who takes it finds us offline. */
		guard(spinlock)(&q->lock);
		q->lost = true;
		vaccel_queue_fail(q);
	}
	synchronize_irq(pci_irq_vector(vaccel->pdev, VACCEL_PCI_VECTOR_DEVICE));
}

/*
 * The device is about to be reset, to lose power, or to be left to another kernel. Users
 * keep their queues and mappings.
 */
static void vaccel_cut_off(struct pci_dev *pdev)
{
	struct vaccel *vaccel = pci_get_drvdata(pdev);

	guard(mutex)(&vaccel->state_lock);
	vaccel_cut_off_locked(vaccel);
}

/* Is it there, and at nothing? If it did not survive a reset, all reads are ones. */
static bool vaccel_is_quiet(struct vaccel *vaccel)
{
	unsigned int i;
	u32 status;

	if (PCI_POSSIBLE_ERROR(readl(vaccel->ctrl + VACCEL_PCI_STATUS)))
		return false;

	writel(0, vaccel->ctrl + VACCEL_PCI_CTRL);
	for (i = 0; i < vaccel->nr_queues; i++) {
		if (readl_poll_timeout(vaccel->queues[i].regs + VACCEL_PCI_Q_STATUS,
				       status, !(status & VACCEL_PCI_QS_BUSY),
				       VACCEL_POLL_US, VACCEL_RESET_US))
			return false;
	}

	return true;
}

/* Only callbacks of the PCI core do this, one at a time, and with the device offline. */
static int vaccel_online(struct pci_dev *pdev)
{
	struct vaccel *vaccel = pci_get_drvdata(pdev);

	/* First of all: what it was at is not for what is in memory now. */
	if (vaccel_is_quiet(vaccel)) {
		pci_set_master(pdev);
		writel(VACCEL_PCI_CTRL_ENABLE, vaccel->ctrl + VACCEL_PCI_CTRL);
		readl(vaccel->ctrl + VACCEL_PCI_CTRL);	/* it has arrived */
		WRITE_ONCE(vaccel->fatal, false);
		/* Pairs with vaccel_queue_program(): START comes after ENABLE. */
		smp_store_release(&vaccel->online, true);
		/* If it failed before now, no interrupt has told us. */
		if (!vaccel_is_fatal(vaccel))
			return 0;
	}

	dev_err(&pdev->dev, "the device is gone, does not come to rest, or failed at once\n");
	WRITE_ONCE(vaccel->fatal, true);
	vaccel_cut_off(pdev);
	return -ENODEV;
}

/* Now, so that no open() fails for want of a vector. "Interrupts" of the rst has more. */
static int vaccel_init_irqs(struct vaccel *vaccel)
{
	struct pci_dev *pdev = vaccel->pdev;
	unsigned int i;
	int n, ret;

	n = pci_alloc_irq_vectors(pdev, 2,
				  1 + min(vaccel->nr_queues, num_possible_cpus()),
				  PCI_IRQ_MSIX);
	if (n < 0)
		return n;

	vaccel->nr_vectors = n - 1;
	ret = devm_request_irq(&pdev->dev,
			       pci_irq_vector(pdev, VACCEL_PCI_VECTOR_DEVICE),
			       vaccel_device_irq, 0, VACCEL_NAME, vaccel);
	for (i = 0; !ret && i < vaccel->nr_vectors; i++)
		ret = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, 1 + i),
				       vaccel_queue_irq, 0, VACCEL_NAME,
				       &vaccel->queues[i]);

	return ret;
}

static struct vaccel *vaccel_alloc(struct pci_dev *pdev, void __iomem *ctrl)
{
	struct vaccel *vaccel;
	unsigned int i, n;

	if (lo_hi_readq(ctrl + VACCEL_PCI_ID) != VACCEL_ID)
		return dev_err_ptr_probe(&pdev->dev, -ENODEV,
					 "this is not a vaccel of version 1\n");

	n = readl(ctrl + VACCEL_PCI_QUEUES);
	if (!n || n > VACCEL_PCI_MAX_QUEUES ||
	    pci_resource_len(pdev, VACCEL_PCI_BAR_CTRL) < VACCEL_PCI_QUEUE(n) ||
	    pci_resource_len(pdev, VACCEL_PCI_BAR_DOORBELL) <
	    n * VACCEL_PCI_DB_STRIDE)
		return dev_err_ptr_probe(&pdev->dev, -ENODEV,
					 "it cannot have %u queues\n", n);

	vaccel = devm_kzalloc(&pdev->dev, struct_size(vaccel, queues, n),
			      GFP_KERNEL);
	if (!vaccel)
		return ERR_PTR(-ENOMEM);

	vaccel->pdev = pdev;
	vaccel->ctrl = ctrl;
	vaccel->opcodes = lo_hi_readq(ctrl + VACCEL_PCI_OPCODES);
	mutex_init(&vaccel->state_lock);
	ida_init(&vaccel->ids);
	vaccel->nr_queues = n;
	for (i = 0; i < n; i++) {
		vaccel->queues[i].vaccel = vaccel;
		vaccel->queues[i].regs = ctrl + VACCEL_PCI_QUEUE(i);
		vaccel->queues[i].id = i;
		spin_lock_init(&vaccel->queues[i].lock);
	}

	return vaccel;
}

static void vaccel_free_saved(void *saved)
{
	kfree(saved);
}

static int vaccel_save_state(struct vaccel *vaccel)
{
	pci_save_state(vaccel->pdev);
	vaccel->saved = pci_store_saved_state(vaccel->pdev);
	if (!vaccel->saved)
		return -ENOMEM;

	return devm_add_action_or_reset(&vaccel->pdev->dev, vaccel_free_saved,
					vaccel->saved);
}

/*
 * The reset of the bus in AER recovery loses the configuration, and if a reset of the
 * function comes next, the PCI core saves what is left: nothing. So restore our own,
 * which is without bus mastering.
 */
static void vaccel_restore_state(struct pci_dev *pdev)
{
	struct vaccel *vaccel = pci_get_drvdata(pdev);

	pci_load_saved_state(pdev, vaccel->saved);
	pci_restore_state(pdev);
}

static int vaccel_register(struct vaccel *vaccel)
{
	struct uacce_interface interface = {
		.name = VACCEL_NAME,
		.flags = UACCE_DEV_SVA,
		.ops = &vaccel_ops,
	};
	struct uacce_device *uacce;
	int ret;

	/* Clears the flag where there is no SVA; the device can do without. */
	uacce = uacce_alloc(&vaccel->pdev->dev, &interface);
	if (IS_ERR(uacce))
		return PTR_ERR(uacce);

	vaccel->uacce = uacce;
	uacce->priv = vaccel;
	uacce->algs = VACCEL_ALGORITHMS;
	uacce->api_ver = VACCEL_API_VER;
	uacce->qf_pg_num[UACCE_QFRT_MMIO] = PFN_UP(VACCEL_MMIO_SIZE);
	uacce->qf_pg_num[UACCE_QFRT_DUS] = PFN_UP(VACCEL_DUS_SIZE);

	/* Users can be there before this returns. */
	ret = uacce_register(uacce);
	if (ret)
		uacce_remove(uacce);

	return ret;
}

static int vaccel_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vaccel *vaccel;
	void __iomem *ctrl;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	/* A kernel that crashed can have left it at work. */
	pci_clear_master(pdev);
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	ctrl = pcim_iomap_region(pdev, VACCEL_PCI_BAR_CTRL, VACCEL_NAME);
	if (IS_ERR(ctrl))
		return PTR_ERR(ctrl);
	ret = pcim_request_region(pdev, VACCEL_PCI_BAR_DOORBELL, VACCEL_NAME);
	if (ret)
		return ret;

	vaccel = vaccel_alloc(pdev, ctrl);
	if (IS_ERR(vaccel))
		return PTR_ERR(vaccel);
	pci_set_drvdata(pdev, vaccel);

	ret = vaccel_init_irqs(vaccel);
	if (ret)
		return ret;
	ret = vaccel_save_state(vaccel);
	if (ret)
		return ret;
	ret = vaccel_online(pdev);
	if (ret)
		return ret;

	return vaccel_register(vaccel);
}

/*
 * What probe acquired is released after this, in reverse order: interrupts, registers,
 * and with pcim_enable_device() bus mastering. All queues have been reset by then.
 */
static void vaccel_remove(struct pci_dev *pdev)
{
	struct vaccel *vaccel = pci_get_drvdata(pdev);

	uacce_remove(vaccel->uacce);
}

/* This comes after a reset that failed as well. */
static void vaccel_reset_done(struct pci_dev *pdev)
{
	struct vaccel *vaccel = pci_get_drvdata(pdev);
	u16 cmd;

	/* The link may be down, and vaccel_slot_reset() is to come. */
	if (vaccel->recovering)
		return;

	/* If that never came, what the PCI core has restored is nothing. */
	pci_read_config_word(pdev, PCI_COMMAND, &cmd);
	if (!(cmd & PCI_COMMAND_MEMORY))
		vaccel_restore_state(pdev);
	vaccel_online(pdev);
}

static pci_ers_result_t vaccel_error_detected(struct pci_dev *pdev,
					      pci_channel_state_t state)
{
	struct vaccel *vaccel = pci_get_drvdata(pdev);

	/* No access to a register, which may be behind a link that is down */
	vaccel_cut_off(pdev);

	/*
	 * Nobody knows what was lost: begin anew even where it is not fatal. Users are to
	 * wait for the end of that, but not if there is no reset to come.
	 */
	vaccel->recovering = state != pci_channel_io_perm_failure;
	WRITE_ONCE(vaccel->fatal, !vaccel->recovering);

	return vaccel->recovering ? PCI_ERS_RESULT_NEED_RESET : PCI_ERS_RESULT_DISCONNECT;
}

static pci_ers_result_t vaccel_slot_reset(struct pci_dev *pdev)
{
	struct vaccel *vaccel = pci_get_drvdata(pdev);

	/* It may be in service: the driver may have been bound since the error. */
	vaccel_cut_off(pdev);
	vaccel->recovering = false;
	vaccel_restore_state(pdev);

	return vaccel_online(pdev) ? PCI_ERS_RESULT_DISCONNECT :
				     PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers vaccel_err_handler = {
	.error_detected = vaccel_error_detected,
	.slot_reset = vaccel_slot_reset,
	.reset_prepare = vaccel_cut_off,
	.reset_done = vaccel_reset_done,
};

static int vaccel_suspend(struct device *dev)
{
	vaccel_cut_off(to_pci_dev(dev));
	return 0;
}

static int vaccel_resume(struct device *dev)
{
	return vaccel_online(to_pci_dev(dev));
}

static DEFINE_SIMPLE_DEV_PM_OPS(vaccel_pm_ops, vaccel_suspend, vaccel_resume);

static const struct pci_device_id vaccel_ids[] = {
	{ PCI_DEVICE(VACCEL_PCI_VENDOR, VACCEL_PCI_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, vaccel_ids);

static struct pci_driver vaccel_driver = {
	.name = VACCEL_NAME,
	.id_table = vaccel_ids,
	.probe = vaccel_probe,
	.remove = vaccel_remove,
	/* The PCI core does this for kexec only, but VT-d is switched off in each reboot. */
	.shutdown = vaccel_cut_off,
	.err_handler = &vaccel_err_handler,
	.driver.pm = pm_sleep_ptr(&vaccel_pm_ops),
};
module_pci_driver(vaccel_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("vaccel accelerator on PCI Express");
