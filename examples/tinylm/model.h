/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tinylm's transformer: bytes in, logits of the next byte out. The weights file is described in README.md.
 * Functions return 0, or -1 with a cause on stderr. Not thread-safe.
 */
#ifndef TINYLM_MODEL_H
#define TINYLM_MODEL_H

struct model_shape { int vocab, dim, heads, layers, mlp, context; };

struct model;

/* Reads the weights. *ret is released by model_close. */
int model_open(const char *path, struct model **ret);
void model_close(struct model *);

const struct model_shape *model_shape(const struct model *);

/*
 * Appends `count` tokens to what the model has seen; *logits (vocab floats, borrowed until the next call) are for
 * the token after the last. Fails when more than `context` tokens would have been seen.
 */
int model_feed(struct model *, const unsigned char *tokens, int count, const float **logits);

#endif
