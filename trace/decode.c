/* SPDX-License-Identifier: Apache-2.0 */
/* One function per kind of record but `call`, which has decode_call.c; keys as in FORMAT.md. */
#include "trace/decode.h"

#include "trace/unpack.h"

#include <string.h>

const char *ekka_decode_open(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_open *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const msgpack_object *argv;
	const char **copy;

	*ret = (struct ekka_rec_open){ 0 };
	if (strcmp(ekka_unpack_str(&u, ekka_unpack_find(&m, "format")), "ekkatrace") != 0)
		return u.bad ? u.bad : "not a file of an ekkatrace";
	ret->version = ekka_unpack_u32(&u, ekka_unpack_find(&m, "version"));
	ret->pid = ekka_unpack_i32(&u, ekka_unpack_find(&m, "pid"));
	ret->ppid = ekka_unpack_i32(&u, ekka_unpack_find(&m, "ppid"));
	ret->unix_ns = ekka_unpack_u64(&u, ekka_unpack_find(&m, "unix_ns"));
	ret->mono_ns = ekka_unpack_u64(&u, ekka_unpack_find(&m, "mono_ns"));
	ret->exe = ekka_unpack_str(&u, ekka_unpack_find(&m, "exe"));
	ret->level = ekka_unpack_str(&u, ekka_unpack_find(&m, "level"));
	ret->tool = ekka_unpack_str(&u, ekka_unpack_find(&m, "tool"));
	ret->arch = ekka_unpack_str(&u, ekka_unpack_find(&m, "arch"));
	ret->cpu = ekka_unpack_str(&u, ekka_unpack_find(&m, "cpu"));
	argv = ekka_unpack_array(&u, ekka_unpack_find(&m, "argv"), UINT32_MAX, &ret->n_argv);
	copy = ekka_unpack_alloc(&u, ret->n_argv, sizeof *copy);
	for (unsigned i = 0; copy && i < ret->n_argv; i++)
		copy[i] = ekka_unpack_str(&u, &argv[i]);
	ret->argv = copy;
	return u.bad;
}

const char *ekka_decode_fn(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_fn *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const msgpack_object *args, *pair;
	struct ekka_arg_info *copy;
	uint32_t n_pair;

	*ret = (struct ekka_rec_fn){ 0 };
	ret->id = ekka_unpack_u32(&u, ekka_unpack_find(&m, "id"));
	ret->name = ekka_unpack_str(&u, ekka_unpack_find(&m, "name"));
	ret->library = ekka_unpack_str(&u, ekka_unpack_find(&m, "lib"));
	ret->op = ekka_unpack_str(&u, ekka_unpack_find(&m, "op"));
	ret->object = ekka_unpack_str(&u, ekka_unpack_find(&m, "obj"));
	ret->build_id = ekka_unpack_bin(&u, ekka_unpack_find(&m, "build"), &ret->build_id_len);
	ret->via = ekka_unpack_str(&u, ekka_unpack_find(&m, "via"));
	ret->module = ekka_unpack_u32(&u, ekka_unpack_find(&m, "mod"));
	args = ekka_unpack_array(&u, ekka_unpack_find(&m, "args"), EKKA_MAX_ARGS, &ret->n_args);
	copy = ekka_unpack_alloc(&u, ret->n_args, sizeof *copy);
	for (unsigned i = 0; copy && i < ret->n_args; i++) {
		pair = ekka_unpack_array(&u, &args[i], 2, &n_pair);
		copy[i].name = n_pair == 2 ? ekka_unpack_str(&u, &pair[0]) : "";
		copy[i].type = n_pair == 2 ? ekka_unpack_str(&u, &pair[1]) : "";
	}
	ret->args = copy;
	return u.bad;
}

const char *ekka_decode_module(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_module *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const uint8_t *id;
	unsigned id_len;

	*ret = (struct ekka_rec_module){ 0 };
	ret->id = ekka_unpack_u32(&u, ekka_unpack_find(&m, "id"));
	ret->kind = ekka_unpack_str(&u, ekka_unpack_find(&m, "kind"));
	ret->bytes = ekka_unpack_u64(&u, ekka_unpack_find(&m, "n"));
	ret->of_bytes = ekka_unpack_u64(&u, ekka_unpack_find(&m, "of"));
	ret->missing = ekka_unpack_str_or_null(&u, ekka_unpack_find(&m, "miss"));
	id = ekka_unpack_bin(&u, ekka_unpack_find(&m, "blob"), &id_len);
	if (id_len == sizeof ret->blob.b)
		memcpy(ret->blob.b, id, sizeof ret->blob.b);
	else if (!ret->missing && !u.bad)
		return "a blob id that is not 16 bytes long";
	return u.bad;
}

const char *ekka_decode_device(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_device *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const msgpack_object *cc;
	uint32_t n_cc;

	*ret = (struct ekka_rec_device){ 0 };
	ret->ordinal = ekka_unpack_i32(&u, ekka_unpack_find(&m, "ord"));
	ret->name = ekka_unpack_str(&u, ekka_unpack_find(&m, "name"));
	cc = ekka_unpack_array(&u, ekka_unpack_find(&m, "cc"), 2, &n_cc);
	if (n_cc == 2) {
		ret->cc_major = ekka_unpack_i32(&u, &cc[0]);
		ret->cc_minor = ekka_unpack_i32(&u, &cc[1]);
	}
	ret->driver = ekka_unpack_i32(&u, ekka_unpack_find(&m, "driver"));
	ret->runtime = ekka_unpack_i32(&u, ekka_unpack_find(&m, "runtime"));
	return u.bad;
}

const char *ekka_decode_maps(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_maps *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const msgpack_object *maps, *it;
	struct ekka_map *copy;
	uint32_t n_it;

	*ret = (struct ekka_rec_maps){ 0 };
	maps = ekka_unpack_array(&u, ekka_unpack_find(&m, "maps"), UINT32_MAX, &ret->n_maps);
	copy = ekka_unpack_alloc(&u, ret->n_maps, sizeof *copy);
	for (unsigned i = 0; copy && i < ret->n_maps; i++) {
		it = ekka_unpack_array(&u, &maps[i], 5, &n_it);
		if (n_it != 5)
			return u.bad ? u.bad : "a mapping that is no array of five";
		copy[i].start = ekka_unpack_u64(&u, &it[0]);
		copy[i].end = ekka_unpack_u64(&u, &it[1]);
		copy[i].file_offset = ekka_unpack_u64(&u, &it[2]);
		copy[i].path = ekka_unpack_str(&u, &it[3]);
		copy[i].build_id = ekka_unpack_bin(&u, &it[4], &copy[i].build_id_len);
	}
	ret->maps = copy;
	return u.bad;
}

const char *ekka_decode_stack(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_stack *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const msgpack_object *items, *it;
	struct ekka_pyframe *py;
	uint64_t *pc;
	uint32_t n_it;

	*ret = (struct ekka_rec_stack){ 0 };
	ret->id = ekka_unpack_u64(&u, ekka_unpack_find(&m, "id"));
	items = ekka_unpack_array(&u, ekka_unpack_find(&m, "pc"), UINT32_MAX, &ret->n_pc);
	pc = ekka_unpack_alloc(&u, ret->n_pc, sizeof *pc);
	for (unsigned i = 0; pc && i < ret->n_pc; i++)
		pc[i] = ekka_unpack_u64(&u, &items[i]);
	ret->pc = pc;
	items = ekka_unpack_array(&u, ekka_unpack_find(&m, "py"), UINT32_MAX, &ret->n_py);
	py = ekka_unpack_alloc(&u, ret->n_py, sizeof *py);
	for (unsigned i = 0; py && i < ret->n_py; i++) {
		it = ekka_unpack_array(&u, &items[i], 3, &n_it);
		if (n_it != 3)
			return u.bad ? u.bad : "a Python frame that is no array of three";
		py[i].file = ekka_unpack_str(&u, &it[0]);
		py[i].line = ekka_unpack_i32(&u, &it[1]);
		py[i].func = ekka_unpack_str(&u, &it[2]);
	}
	ret->py = py;
	return u.bad;
}

const char *ekka_decode_data(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_data *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const uint8_t *id;
	unsigned id_len;

	*ret = (struct ekka_rec_data){ 0 };
	ret->event = ekka_unpack_u64(&u, ekka_unpack_find(&m, "ev"));
	ret->tensor = ekka_unpack_u32(&u, ekka_unpack_find(&m, "i"));
	ret->phase = ekka_unpack_u32(&u, ekka_unpack_find(&m, "ph")) == 0 ? EKKA_PRE : EKKA_POST;
	ret->bytes = ekka_unpack_u64(&u, ekka_unpack_find(&m, "n"));
	ret->missing = ekka_unpack_str_or_null(&u, ekka_unpack_find(&m, "miss"));
	id = ekka_unpack_bin(&u, ekka_unpack_find(&m, "id"), &id_len);
	if (id_len == sizeof ret->id.b)
		memcpy(ret->id.b, id, sizeof ret->id.b);
	else if (!ret->missing && !u.bad)
		return "a blob id that is not 16 bytes long";
	return u.bad;
}

const char *ekka_decode_ret(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_ret *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);

	*ret = (struct ekka_rec_ret){ 0 };
	ret->event = ekka_unpack_u64(&u, ekka_unpack_find(&m, "ev"));
	ret->t_ns = ekka_unpack_u64(&u, ekka_unpack_find(&m, "t"));
	ret->value = ekka_unpack_value(&u, ekka_unpack_find(&m, "v"));
	return u.bad;
}

const char *ekka_decode_close(const struct ekka_decode_zones *zones, const uint8_t *body, size_t n, struct ekka_rec_close *ret)
{
	struct unpack u = { .zones = zones };
	msgpack_object m = ekka_unpack_body(&u, body, n);
	const msgpack_object *drop = ekka_unpack_find(&m, "drop");
	struct ekka_count *copy;

	*ret = (struct ekka_rec_close){ 0 };
	ret->t_ns = ekka_unpack_u64(&u, ekka_unpack_find(&m, "t"));
	ret->events = ekka_unpack_u64(&u, ekka_unpack_find(&m, "events"));
	ret->seen_bytes = ekka_unpack_u64(&u, ekka_unpack_find(&m, "seen"));
	ret->stored_bytes = ekka_unpack_u64(&u, ekka_unpack_find(&m, "stored"));
	ret->known_bytes = ekka_unpack_u64(&u, ekka_unpack_find(&m, "known"));
	ret->left_out = ekka_unpack_u64(&u, ekka_unpack_find(&m, "left"));
	ret->why = ekka_unpack_str(&u, ekka_unpack_find(&m, "why"));
	if (drop && drop->type != MSGPACK_OBJECT_MAP)
		return "drop counts that are no map";
	if (drop) {
		ret->n_dropped = drop->via.map.size;
		copy = ekka_unpack_alloc(&u, ret->n_dropped, sizeof *copy);
		for (unsigned i = 0; copy && i < ret->n_dropped; i++) {
			copy[i].name = ekka_unpack_str(&u, &drop->via.map.ptr[i].key);
			copy[i].n = ekka_unpack_u64(&u, &drop->via.map.ptr[i].val);
		}
		ret->dropped = copy;
	}
	return u.bad;
}
