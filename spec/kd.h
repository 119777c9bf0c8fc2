/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel descriptions in compiled form (spec/kernels/README.md is the language). Internal to spec/kd_*.c and spec/describe.c.
 *
 * text --kd_lex, kd_parse, kd_expr--> struct kd_desc --kd_bind--> struct kd_bound (one kernel) --kd_run, kd_eval, kd_tensor--> meaning
 *
 * Descriptions come from users and parameters from traces: neither is trusted. Recursion is bounded by depths that the parser and the
 * binder enforce, loops by KD_LOOP_MAX and by a budget of steps.
 */
#ifndef EKKA_SPEC_KD_H
#define EKKA_SPEC_KD_H

#include "preload/lock.h"
#include "spec/arena.h"
#include "spec/describe.h"

enum {
	KD_DEPTH_MAX = 64,		/* nesting of expressions */
	KD_SLOTS_MAX = 64,		/* names of one description */
	KD_CAPTURES_MAX = 24,		/* $NAMEs of one pattern */
	KD_PIECES_MAX = 64,		/* literals and wildcards of one pattern */
	KD_LOOP_MAX = 1024,
	KD_STEPS_MAX = 100000,		/* nodes that one launch may evaluate */
	KD_MATCH_STEPS_MAX = 1 << 20,	/* characters that one comparison of a name with a pattern may look at */
	KD_USE_DEPTH_MAX = 6,		/* functors within functors */
	KD_USE_CANDIDATES_MAX = 8,	/* functors that fit one text */
	KD_NAME_BYTES = 64 << 10,	/* a demangled name */
	KD_TEXT_BYTES = 1024,		/* a text that an expression makes */
	KD_ARITY_MAX = 16,
	KD_EXPORTS_MAX = 48,		/* names that functors let */
	KD_ERROR_BYTES = 512,
};

/* ---- values and expressions ------------------------------------------------ */

enum kd_kind { KD_UNSET, KD_INT, KD_REAL, KD_TEXT, KD_DTYPE, KD_PLACE };

struct kd_value {
	enum kd_kind kind;
	union {
		int64_t i;
		double r;
		const char *s;
		enum ekka_dtype t;
		struct { int64_t param, offset; } place;
	};
};

enum kd_node_kind {
	KD_N_CONST, KD_N_SLOT, KD_N_EXPORT, KD_N_CAPTURE, KD_N_PARAM, KD_N_SELF, KD_N_FACT, KD_N_PARAMS, KD_N_ARITY, KD_N_RET, KD_N_EXPR,
	KD_N_UNARY, KD_N_BINARY, KD_N_COND, KD_N_CALL, KD_N_SUM, KD_N_PROD, KD_N_JOIN,
};

/* Two-character operators by these, others by their character. */
enum { KD_OP_EQ = 256, KD_OP_NE, KD_OP_LE, KD_OP_GE, KD_OP_AND, KD_OP_OR, KD_OP_SHL, KD_OP_SHR };

struct kd_node {
	enum kd_node_kind kind;
	unsigned line, depth;		/* depth: longest way down to a leaf */
	int op;				/* operator; function (enum kd_fn); slot, capture, parameter or fact number */
	struct kd_value value;		/* CONST; EXPORT: the name */
	const struct kd_node *a, *b, *c;	/* operands; SUM and PROD: a the count, b the body; JOIN: a before b, as text */
};

enum kd_fn {
	KD_FN_I8, KD_FN_U8, KD_FN_I16, KD_FN_U16, KD_FN_I32, KD_FN_U32, KD_FN_I64, KD_FN_U64, KD_FN_F16, KD_FN_BF16, KD_FN_F32, KD_FN_F64,
	KD_FN_PTR, KD_FN_BOOL, KD_FN_PARAM, KD_FN_BYTES, KD_FN_INT, KD_FN_REAL, KD_FN_HAS, KD_FN_DTYPE, KD_FN_SCALAR_TYPE, KD_FN_SIZE,
	KD_FN_MIN, KD_FN_MAX, KD_FN_ABS, KD_FN_CEIL_DIV, KD_FN_ARG, KD_FN_NAME, KD_FN_VALUE, KD_FN_ROOM,
};

/* An item of a list: the expression, or one for each value of a loop variable. */
struct kd_item {
	const struct kd_node *e, *count;	/* count NULL: once */
	int slot;
	struct kd_item *next;
};

/* ---- statements ------------------------------------------------------------- */

enum kd_stmt_kind {
	KD_S_FACTS, KD_S_CHECK, KD_S_LET, KD_S_TENSOR, KD_S_OP, KD_S_ATTR, KD_S_EACH, KD_S_USE, KD_S_ARGS, KD_S_RET, KD_S_NOTHING,
};

struct kd_with { const char *name; const struct kd_node *text; struct kd_with *next; };

struct kd_stmt {
	enum kd_stmt_kind kind;
	unsigned line;
	const char *text;		/* CHECK: the reason; LET: the name */
	const struct kd_node *name;	/* tensor, attribute, op: a text */
	enum ekka_dir dir;
	int slot;			/* LET, EACH; USE: its number in the description */
	const struct kd_node *e;	/* FACTS, CHECK, LET, ATTR, RET: the value; TENSOR: the type; EACH: the count; USE: the text */
	const struct kd_node *at;	/* TENSOR, USE */
	struct kd_item *dims, *strides;	/* TENSOR; ARGS: dims */
	bool has_dims, has_strides;
	const struct kd_node *cond;	/* or NULL */
	struct kd_with *with;		/* USE */
	struct kd_stmt *body;		/* EACH */
	struct kd_stmt *next;
};

/* ---- patterns --------------------------------------------------------------- */

struct kd_piece {
	const char *literal;		/* or NULL: a wildcard */
	size_t n;
	bool commas;			/* may contain commas */
	int capture;			/* its number, or -1 */
};

struct kd_pattern {
	struct kd_piece *pieces;
	unsigned n_pieces, n_captures;
	const char *captures[KD_CAPTURES_MAX];	/* names, without $ */
};

/* A piece of a name. */
struct kd_span { const char *p; size_t n; };

/* ---- descriptions ------------------------------------------------------------ */

struct kd_desc {
	const char *place;		/* "file.kd:12" */
	const char *file;
	struct kd_pattern pattern;
	struct kd_stmt *stmts;
	unsigned n_uses, n_slots;
	bool functor, has_from, has_meaning;
	struct kd_desc *next;
};

struct ekka_descriptions {
	struct ekka_arena arena;
	struct kd_desc *kernels, **kernels_end, *functors, **functors_end;
	char *scratch;			/* KD_NAME_BYTES */
	struct ekka_meaning *scratch_meaning;
	struct ekka_lock lock;		/* guards everything above once loaded: binding takes memory */
};

/* A description with what its pattern captured and the functors that it uses. */
struct kd_bound {
	const struct kd_desc *desc;
	const char **captures;
	struct kd_use *uses;
	struct kd_bound *next;		/* the next candidate */
};

struct kd_use { const char *text; struct kd_bound *bound; };	/* text NULL: it could not be told; bound NULL: nothing fits */

struct ekka_binding { struct kd_bound *first; };

/* ---- functions ---------------------------------------------------------------- */

/*
 * Compiles one file; its text is read to the NUL and must stay. Appends to the lists only when all of it is right; else returns
 * EKKA_ERR_INVALID with "file:line: what" in err.
 */
int kd_parse(struct ekka_descriptions *set, const char *file, const char *text, struct ekka_error *err);

/* Removes blanks and suffixes of integers in place; `kernel`: also the return type and the parameter list. */
void kd_normalise(char *name, bool kernel);

/* Compiles a pattern. NULL, or what is wrong with it (static text). */
const char *kd_pattern_compile(struct ekka_arena *, const char *text, struct kd_pattern *ret);

/* Compares; on success fills ret_captures, pieces of `name`. */
bool kd_pattern_match(const struct kd_pattern *, const char *name, struct kd_span *ret_captures);

/* Element type by its C++ name or ours; blanks do not count. */
bool kd_dtype(const char *name, enum ekka_dtype *ret);
/* Element type by c10::ScalarType. */
bool kd_scalar_type(int64_t n, enum ekka_dtype *ret);

struct kd_run;

/* The value of an expression; false when it has none: r->refused says why. */
bool kd_eval(struct kd_run *r, const struct kd_node *, struct kd_value *ret);

/* Keeps a text as long as the meaning is; NULL (refused) when there is no room. */
const char *kd_keep(struct kd_run *r, const char *text, size_t n);

/* Ends the launch with a reason; returns false. */
bool kd_refuse(struct kd_run *r, unsigned line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* An expression as truth, as an integer. */
bool kd_eval_true(struct kd_run *r, const struct kd_node *, bool *ret);
bool kd_eval_int(struct kd_run *r, const struct kd_node *, int64_t *ret);
/* As text: numbers in decimal. */
bool kd_eval_text(struct kd_run *r, const struct kd_node *, const char **ret);

/* A list of integers, or of whatever `take` takes. */
bool kd_each_item(struct kd_run *r, const struct kd_item *, bool (*take)(struct kd_run *, const struct kd_value *, void *), void *arg);

/* A tensor statement. */
bool kd_run_tensor(struct kd_run *r, const struct kd_stmt *);

/* What is known while statements are evaluated. */
struct kd_run {
	const struct ekka_launch_facts *launch;	/* NULL while binding */
	struct ekka_meaning *meaning;
	const struct kd_bound *bound;
	struct kd_value slots[KD_SLOTS_MAX];
	struct kd_value self;			/* PLACE; unset in a kernel's description */
	unsigned line;				/* of the statement */
	struct kd_shared {
		unsigned steps;
		bool has_ret;
		enum ekka_dtype ret;
		unsigned arity;
		enum ekka_dtype arg[KD_ARITY_MAX];
		struct { const char *name; struct kd_value value; } exports[KD_EXPORTS_MAX];	/* lets of functors */
		unsigned n_exports;
		unsigned emptied_outs;		/* outputs without elements */
		char refused[KD_ERROR_BYTES];
	} *shared;
};

/* The statements of a description. KD_MISFIT: its facts do not hold; KD_REFUSED: shared->refused says why. */
enum kd_outcome { KD_DONE, KD_MISFIT, KD_REFUSED };
enum kd_outcome kd_run(struct kd_run *r);

/* Binds one description (kernel or functor) to a normalised name; NULL when it does not match or there is no memory. */
struct kd_bound *kd_bind(struct ekka_descriptions *set, const struct kd_desc *, const char *name, unsigned depth);

/* Texts compare without regard to blanks. */
bool kd_text_same(const char *a, const char *b);

#endif
