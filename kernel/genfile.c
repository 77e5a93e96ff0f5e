// SPDX-License-Identifier: MIT
/*
 * Files whose text is made when they are read: procfs, sysfs. A read at position 0 makes the text anew; reads that go
 * on see the text that the first one made, so that a reader with a small buffer gets one moment, not many.
 */
#include "kfs.h"

struct gen_state {
	struct rw_semaphore lock;
	struct ktext text;
	bool made;
	void *owned; /* (c) */
};

static struct gen_state *gen_state(struct file *file)
{
	struct gen_state *state = katomic_pointer(&file->private_data), *was;

	if (state)
		return state;
	state = kzalloc(sizeof(*state), GFP_KERNEL);
	if (!state)
		return NULL;
	was = katomic_pointer_first(&file->private_data, state);
	if (!was)
		return state;
	kfree(state);
	return was;
}

int gen_own(struct file *file, void *owned)
{
	struct gen_state *state = gen_state(file);

	if (!state)
		return -ENOMEM;
	state->owned = owned;
	return 0;
}

static s64 gen_read(struct file *file, struct iov_iter *to, u64 *pos)
{
	struct vnode *v = vnode_of(file->f_inode);
	const struct gen_ops *ops = v->data;
	struct gen_state *state = gen_state(file);
	s64 got = 0;

	if (!state)
		return -ENOMEM;
	if (!ops->show && !ops->show_owned)
		return -EACCES;
	down_write(&state->lock);
	if (!state->made || !*pos) {
		ktext_free(&state->text);
		state->made = false;
		got = ops->show_owned ? ops->show_owned(v, state->owned, &state->text) : ops->show(v, &state->text);
		if (!got && state->text.no_memory)
			got = -ENOMEM;
		state->made = !got;
	}
	if (!got && *pos < state->text.len) {
		size_t want = min_t(u64, to->count, state->text.len - *pos);

		got = (s64)copy_to_iter(state->text.data + *pos, want, to);
		if (!got && want)
			got = -EFAULT;
		else
			*pos += (u64)got;
	}
	up_write(&state->lock);
	return got;
}

#define WRITE_MAX (64 * PAGE_SIZE)

static s64 gen_write(struct file *file, struct iov_iter *from, u64 *pos)
{
	struct vnode *v = vnode_of(file->f_inode);
	const struct gen_ops *ops = v->data;
	size_t len = from->count;
	char *text;
	s64 ret;

	if (!ops->write)
		return -EACCES;
	if (len > WRITE_MAX)
		return -EINVAL;
	text = kvmalloc(len + 1, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	if (copy_from_iter(text, len, from) != len) {
		ret = -EFAULT;
	} else {
		text[len] = 0;
		ret = ops->write(v, text, len);
	}
	kvfree(text);
	if (ret > 0)
		*pos += (u64)ret;
	return ret;
}

static void gen_release(struct file *file)
{
	const struct gen_ops *ops = vnode_of(file->f_inode)->data;
	struct gen_state *state = file->private_data;

	if (state) {
		if (ops->disown)
			ops->disown(state->owned);
		ktext_free(&state->text);
		kfree(state);
	}
	file_release_path(file);
}

const struct file_operations gen_fops = { .read_iter = gen_read, .write_iter = gen_write, .release = gen_release,
					  .show_path = vfs_path };
