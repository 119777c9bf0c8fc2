/* SPDX-License-Identifier: Apache-2.0 */
#include "describe_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void describe_case_param(struct ekka_describe_case *c, const void *p, uint32_t bytes)
{
	unsigned i = c->facts.n_params++;

	c->param[i] = p;
	c->bytes[i] = bytes;
}

static void note(void *arg, const char *text)
{
	struct ekka_describe_case *c = arg;
	size_t n = strlen(c->problems);

	snprintf(c->problems + n, sizeof(c->problems) - n, "%s\n", text);
}

struct ekka_descriptions *describe_case_load(struct ekka_describe_case *c)
{
	char dir[] = "/tmp/ekka-describe-XXXXXX", path[64];
	struct ekka_descriptions *set = NULL;
	struct ekka_error err = { 0 };
	FILE *f;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/case.kd", dir);
	f = fopen(path, "w");
	cr_assert(f);
	cr_assert(fputs(c->text, f) >= 0);
	cr_assert(fclose(f) == 0);
	c->problems[0] = '\0';
	cr_assert(ekka_descriptions_load(path, &set, note, c, &err) == 0, "%s", err.message);
	unlink(path);
	rmdir(dir);
	return set;
}

const struct ekka_meaning *describe_case_run(struct ekka_describe_case *c)
{
	static struct ekka_meaning m;
	const struct ekka_binding *b = ekka_descriptions_bind(describe_case_load(c), c->name);

	if (!b)
		return NULL;
	c->facts.param = c->param;
	c->facts.param_bytes = c->bytes;
	memset(&m, 0x5a, sizeof(m));
	ekka_describe(b, &c->facts, &m);
	return &m;
}

const struct ekka_tensor *meaning_tensor(const struct ekka_meaning *m, const char *name)
{
	for (unsigned i = 0; i < m->n_tensors; i++)
		if (strcmp(m->tensors[i].name, name) == 0)
			return &m->tensors[i];
	return NULL;
}

const struct ekka_value *meaning_attr(const struct ekka_meaning *m, const char *name)
{
	for (unsigned i = 0; i < m->n_attrs; i++)
		if (strcmp(m->attrs[i].name, name) == 0)
			return &m->attrs[i].value;
	return NULL;
}
