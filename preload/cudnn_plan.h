/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cuDNN plan means, in the terms of spec/kernels/README.md: decoded once per plan out of its JSON, kept by the plan's handle
 * until that is destroyed. Zone: inside the host process.
 *
 * A program keeps at most a few hundred plans; of more than EKKA_CUDNN_PLANS some are decoded again. Thread-safe.
 */
#ifndef EKKA_PRELOAD_CUDNN_PLAN_H
#define EKKA_PRELOAD_CUDNN_PLAN_H

#include <cudnn.h>

#include "preload/cudnn_graph.h"
#include "trace/model.h"

enum { EKKA_CUDNN_PLANS = 2048, EKKA_CUDNN_FACTS = 16, EKKA_CUDNN_DIAGONALS = 4, EKKA_CUDNN_TERMS = 4 };

/* A tensor of the call; where it lies says the variant pack. */
struct ekka_cudnn_operand {
	int64_t uid;
	char name[24];
	enum ekka_dir dir;
	enum ekka_dtype dtype;
	unsigned n_dims;
	int64_t dim[EKKA_MAX_DIMS], stride[EKKA_MAX_DIMS];
	uint8_t packed;			/* sequences one behind another: dim[2] is the most there may be. 1 queries, 2 keys: who are equally long */
};

/* An attribute: known, or a number that every variant pack brings along by value. */
struct ekka_cudnn_fact {
	const char *name;		/* static, or in the plan */
	enum ekka_value_kind kind;	/* INT, REAL, STR; NIL: by value */
	int64_t i;
	double r;
	const char *s;			/* static, or in the plan */
	int64_t uid;			/* by value */
	enum ekka_dtype dtype;
};

/*
 * An edge of the band of keys that a query row sees: col <= row + sum (upper), or col >= row - sum. The sum's terms are numbers by
 * value with a sign; `by_length`: plus the length of the keys less that of the queries, of each batch item.
 */
struct ekka_cudnn_diagonal {
	bool upper, by_length;
	int64_t constant;
	unsigned n_terms;
	struct { int64_t uid; int sign; enum ekka_dtype dtype; } term[EKKA_CUDNN_TERMS];
};

struct ekka_cudnn_plan {
	const void *handle;
	const char *op;			/* "" when there is no reference for it */
	const char *why;		/* then: static text */
	bool undescribed;		/* not even the tensors are known */
	struct ekka_cudnn_operand operand[EKKA_MAX_TENSORS];
	unsigned n_operands;
	struct ekka_cudnn_fact fact[EKKA_CUDNN_FACTS];
	unsigned n_facts;
	/* Attention only. */
	struct ekka_cudnn_diagonal diagonal[EKKA_CUDNN_DIAGONALS];
	unsigned n_diagonals;
	bool padded;			/* there are lengths */
	int64_t rows, keys;
	int64_t fill[EKKA_CUDNN_DIAGONALS];	/* what masked logits become, by value: must be very negative */
	unsigned n_fills;
	double keep;			/* dropout: what is kept, 0 without; by value its inverse */
	int64_t keep_scale;		/* uid */
	int64_t same_table[2];		/* uids that must have one address; 0, 0: none */
	char texts[4][48];		/* that facts point to */
	char expr[256];			/* likewise */
	char *graph;			/* the operation graph where there is no op, or NULL; a mapping of its own */
	uint64_t graph_bytes;
};

typedef __typeof__(cudnnBackendGetAttribute) ekka_cudnn_get;

/* The decoded plan; never NULL but when there is no memory. Valid until the plan is destroyed. */
const struct ekka_cudnn_plan *ekka_cudnn_plan(const void *handle, ekka_cudnn_get *get);

/* The descriptor begins a new life. */
void ekka_cudnn_plan_forget(const void *handle);

/* Fills ret from a plan's JSON: text of n bytes that stay the caller's. For ekka_cudnn_plan and its tests. */
void ekka_cudnn_decode(struct ekka_cudnn_plan *ret, const char *text, uint64_t n);

/*
 * The decoders: true when the graph is exactly that operation, with ret filled. They use every node, or answer false with ret->why set
 * where they recognise the operation and cannot say it. preload/cudnn_sdpa.c, cudnn_conv.c, cudnn_matmul.c, cudnn_norm.c, cudnn_pool.c, cudnn_pointwise.c.
 */
bool ekka_cudnn_decode_sdpa(struct ekka_cudnn_plan *ret, struct ekka_cudnn_graph *);
bool ekka_cudnn_decode_conv(struct ekka_cudnn_plan *ret, struct ekka_cudnn_graph *);
bool ekka_cudnn_decode_matmul(struct ekka_cudnn_plan *ret, struct ekka_cudnn_graph *);
bool ekka_cudnn_decode_norm(struct ekka_cudnn_plan *ret, struct ekka_cudnn_graph *);
bool ekka_cudnn_decode_pointwise(struct ekka_cudnn_plan *ret, struct ekka_cudnn_graph *);
bool ekka_cudnn_decode_pool(struct ekka_cudnn_plan *ret, struct ekka_cudnn_graph *);

/* For the decoders. False when something does not fit; nothing is added then. */
bool ekka_cudnn_add_operand(struct ekka_cudnn_plan *, const struct ekka_cudnn_graph *, const char *name, enum ekka_dir, int tensor);
bool ekka_cudnn_add_text(struct ekka_cudnn_plan *, const char *name, const char *static_text);
bool ekka_cudnn_add_int(struct ekka_cudnn_plan *, const char *name, int64_t);
bool ekka_cudnn_add_real(struct ekka_cudnn_plan *, const char *name, double);
bool ekka_cudnn_add_by_value(struct ekka_cudnn_plan *, const struct ekka_cudnn_graph *, const char *name, int tensor);
/* A list of integers of the node, which may be fractions, as text "1,1". */
bool ekka_cudnn_add_list(struct ekka_cudnn_plan *, unsigned text, const char *name, const struct ekka_cudnn_node *, const char *key);

/* Gives an operand n dims, stride 0 where it has 1 of them. False when they do not fit. */
bool ekka_cudnn_broadcast(struct ekka_cudnn_operand *, const int64_t *dim, unsigned n);

/*
 * Activation at a pointwise node in the words of op conv ("relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "elu"), NULL when it is
 * none of them or a variant with other parameters.
 */
const char *ekka_cudnn_activation(const struct ekka_cudnn_node *);

#endif
