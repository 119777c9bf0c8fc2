/* SPDX-License-Identifier: Apache-2.0 */
/* One function per record kind of an events file; keys as in FORMAT.md. Zone: see encode.h. */
#include "trace/encode.h"

#include "trace/pack.h"

static uint32_t at_most(uint32_t n, uint32_t max)
{
	return n < max ? n : max;
}

static size_t finish(struct pack_frame *f)
{
	ekka_pack_body_end(f);
	return ekka_pack_end(f);
}

size_t ekka_encode_open(struct ekka_buf *buf, const struct ekka_rec_open *r)
{
	uint32_t n_argv = at_most(r->n_argv, EKKA_MAX_ARGV);
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "open", 13);
	ekka_pack_key_str(&f, "format", "ekkatrace");
	ekka_pack_key_uint(&f, "version", r->version);
	ekka_pack_key_int(&f, "pid", r->pid);
	ekka_pack_key_int(&f, "ppid", r->ppid);
	ekka_pack_key_uint(&f, "unix_ns", r->unix_ns);
	ekka_pack_key_uint(&f, "mono_ns", r->mono_ns);
	ekka_pack_key_str(&f, "exe", r->exe);
	ekka_pack_key_uint(&f, "argc", r->n_argv);
	ekka_pack_key_array(&f, "argv", n_argv);
	for (uint32_t i = 0; i < n_argv; i++)
		ekka_pack_str(&f, r->argv[i]);
	ekka_pack_key_str(&f, "level", r->level);
	ekka_pack_key_str(&f, "tool", r->tool);
	ekka_pack_key_str(&f, "arch", r->arch);
	ekka_pack_key_str(&f, "cpu", r->cpu);
	return finish(&f);
}

size_t ekka_encode_fn(struct ekka_buf *buf, const struct ekka_rec_fn *r)
{
	uint32_t n_args = at_most(r->n_args, EKKA_MAX_ARGS);
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "fn", 7 + (r->via != NULL) + (r->module != 0));
	ekka_pack_key_uint(&f, "id", r->id);
	ekka_pack_key_str(&f, "name", r->name);
	ekka_pack_key_str(&f, "lib", r->library);
	ekka_pack_key_str(&f, "op", r->op);
	ekka_pack_key_str(&f, "obj", r->object);
	ekka_pack_key(&f, "build");
	ekka_pack_bin(&f, r->build_id, r->build_id_len);
	if (r->via)
		ekka_pack_key_str(&f, "via", r->via);
	if (r->module)
		ekka_pack_key_uint(&f, "mod", r->module);
	ekka_pack_key_array(&f, "args", n_args);
	for (uint32_t i = 0; i < n_args; i++) {
		(void)ekka_mp_array(&f, 2);
		ekka_pack_str(&f, r->args[i].name);
		ekka_pack_str(&f, r->args[i].type);
	}
	return finish(&f);
}

size_t ekka_encode_module(struct ekka_buf *buf, const struct ekka_rec_module *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "module", 5);
	ekka_pack_key_uint(&f, "id", r->id);
	ekka_pack_key_str(&f, "kind", r->kind);
	ekka_pack_key_uint(&f, "n", r->bytes);
	ekka_pack_key_uint(&f, "of", r->of_bytes);
	if (r->missing) {
		ekka_pack_key_str(&f, "miss", r->missing);
	} else {
		ekka_pack_key(&f, "blob");
		ekka_pack_bin(&f, r->blob.b, sizeof r->blob.b);
	}
	return finish(&f);
}

size_t ekka_encode_device(struct ekka_buf *buf, const struct ekka_rec_device *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "device", 5);
	ekka_pack_key_int(&f, "ord", r->ordinal);
	ekka_pack_key_str(&f, "name", r->name);
	ekka_pack_key_array(&f, "cc", 2);
	(void)ekka_mp_int32(&f, r->cc_major);
	(void)ekka_mp_int32(&f, r->cc_minor);
	ekka_pack_key_int(&f, "driver", r->driver);
	ekka_pack_key_int(&f, "runtime", r->runtime);
	return finish(&f);
}

size_t ekka_encode_maps(struct ekka_buf *buf, const struct ekka_rec_maps *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "maps", 1);
	ekka_pack_key_array(&f, "maps", r->n_maps);
	for (unsigned i = 0; i < r->n_maps; i++) {
		const struct ekka_map *m = &r->maps[i];

		(void)ekka_mp_array(&f, 5);
		(void)ekka_mp_uint64(&f, m->start);
		(void)ekka_mp_uint64(&f, m->end);
		(void)ekka_mp_uint64(&f, m->file_offset);
		ekka_pack_str(&f, m->path);
		ekka_pack_bin(&f, m->build_id, m->build_id_len);
	}
	return finish(&f);
}

size_t ekka_encode_stack(struct ekka_buf *buf, const struct ekka_rec_stack *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "stack", 3);
	ekka_pack_key_uint(&f, "id", r->id);
	ekka_pack_key_array(&f, "pc", r->n_pc);
	for (unsigned i = 0; i < r->n_pc; i++)
		(void)ekka_mp_uint64(&f, r->pc[i]);
	ekka_pack_key_array(&f, "py", r->n_py);
	for (unsigned i = 0; i < r->n_py; i++) {
		(void)ekka_mp_array(&f, 3);
		ekka_pack_str(&f, r->py[i].file);
		(void)ekka_mp_int32(&f, r->py[i].line);
		ekka_pack_str(&f, r->py[i].func);
	}
	return finish(&f);
}

static void pack_tensor(struct pack_frame *f, const struct ekka_tensor *t)
{
	uint32_t n_dims = at_most(t->n_dims, EKKA_MAX_DIMS);

	(void)ekka_mp_map(f, t->alias_of >= 0 ? 12 : 11);
	ekka_pack_key_str(f, "n", t->name);
	ekka_pack_key_int(f, "d", t->dir);
	ekka_pack_key_str(f, "t", ekka_dtype_name(t->dtype));
	ekka_pack_key_int(f, "pl", t->place);
	ekka_pack_key_array(f, "dim", n_dims);
	for (uint32_t i = 0; i < n_dims; i++)
		(void)ekka_mp_int64(f, t->dim[i]);
	ekka_pack_key_array(f, "str", n_dims);
	for (uint32_t i = 0; i < n_dims; i++)
		(void)ekka_mp_int64(f, t->stride[i]);
	ekka_pack_key_int(f, "off", t->offset);
	ekka_pack_key_uint(f, "p", t->addr);
	ekka_pack_key_uint(f, "np", t->n_ptrs);
	ekka_pack_key_uint(f, "b", t->span_bytes);
	ekka_pack_key_int(f, "w", (t->pre ? 1 : 0) | (t->post ? 2 : 0));
	if (t->alias_of >= 0)
		ekka_pack_key_int(f, "al", t->alias_of);
}

static void pack_call_context(struct pack_frame *f, const struct ekka_rec_call *r)
{
	ekka_pack_key_uint(f, "ev", r->event);
	ekka_pack_key_uint(f, "par", r->parent);
	ekka_pack_key_uint(f, "fn", r->fn);
	ekka_pack_key_uint(f, "depth", r->depth);
	ekka_pack_key_uint(f, "group", r->group);
	ekka_pack_key_int(f, "tid", r->tid);
	ekka_pack_key_int(f, "dev", r->device);
	ekka_pack_key_uint(f, "strm", r->stream);
	ekka_pack_key_uint(f, "t", r->t_ns);
	ekka_pack_key_uint(f, "stk", r->stack);
}

size_t ekka_encode_call(struct ekka_buf *buf, const struct ekka_rec_call *r)
{
	uint32_t n_args = at_most(r->n_args, EKKA_MAX_ARGS);
	uint32_t n_attrs = at_most(r->n_attrs, EKKA_MAX_ATTRS);
	uint32_t n_tensors = at_most(r->n_tensors, EKKA_MAX_TENSORS);
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "call", r->bad_args ? 14 : 13);
	pack_call_context(&f, r);
	ekka_pack_key_array(&f, "a", n_args);
	for (uint32_t i = 0; i < n_args; i++)
		ekka_pack_value(&f, &r->args[i]);
	ekka_pack_key(&f, "x");
	(void)ekka_mp_map(&f, n_attrs);
	for (uint32_t i = 0; i < n_attrs; i++) {
		ekka_pack_str(&f, r->attrs[i].name);
		ekka_pack_value(&f, &r->attrs[i].value);
	}
	ekka_pack_key_array(&f, "tn", n_tensors);
	for (uint32_t i = 0; i < n_tensors; i++)
		pack_tensor(&f, &r->tensors[i]);
	if (r->bad_args)
		ekka_pack_key_str(&f, "bad", r->bad_args);
	return finish(&f);
}

size_t ekka_encode_data(struct ekka_buf *buf, const struct ekka_rec_data *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "data", 5);
	ekka_pack_key_uint(&f, "ev", r->event);
	ekka_pack_key_uint(&f, "i", r->tensor);
	ekka_pack_key_int(&f, "ph", r->phase);
	ekka_pack_key_uint(&f, "n", r->bytes);
	if (r->missing) {
		ekka_pack_key_str(&f, "miss", r->missing);
	} else {
		ekka_pack_key(&f, "id");
		ekka_pack_bin(&f, r->id.b, sizeof r->id.b);
	}
	return finish(&f);
}

size_t ekka_encode_ret(struct ekka_buf *buf, const struct ekka_rec_ret *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "ret", 3);
	ekka_pack_key_uint(&f, "ev", r->event);
	ekka_pack_key_uint(&f, "t", r->t_ns);
	ekka_pack_key(&f, "v");
	ekka_pack_value(&f, &r->value);
	return finish(&f);
}

size_t ekka_encode_end(struct ekka_buf *buf, const struct ekka_rec_end *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "end", 2);
	ekka_pack_key_uint(&f, "ev", r->event);
	ekka_pack_key_uint(&f, "t", r->t_ns);
	return finish(&f);
}

size_t ekka_encode_time(struct ekka_buf *buf, const struct ekka_rec_time *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "time", 2);
	ekka_pack_key_uint(&f, "ev", r->event);
	ekka_pack_key_uint(&f, "gpu", r->gpu_ns);
	return finish(&f);
}

size_t ekka_encode_close(struct ekka_buf *buf, const struct ekka_rec_close *r)
{
	struct pack_frame f;

	ekka_pack_begin(&f, buf, 3, "close", 6 + (r->left_out != 0) + (r->known_bytes != 0));
	ekka_pack_key_uint(&f, "t", r->t_ns);
	ekka_pack_key_uint(&f, "events", r->events);
	ekka_pack_key_uint(&f, "seen", r->seen_bytes);
	ekka_pack_key_uint(&f, "stored", r->stored_bytes);
	if (r->known_bytes)
		ekka_pack_key_uint(&f, "known", r->known_bytes);
	if (r->left_out)
		ekka_pack_key_uint(&f, "left", r->left_out);
	ekka_pack_key(&f, "drop");
	(void)ekka_mp_map(&f, r->n_dropped);
	for (unsigned i = 0; i < r->n_dropped; i++) {
		ekka_pack_str(&f, r->dropped[i].name);
		(void)ekka_mp_uint64(&f, r->dropped[i].n);
	}
	ekka_pack_key_str(&f, "why", r->why);
	return finish(&f);
}
