/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program with the shim preloaded. Its settings are options made from preload/conf.def. */
#include "tools/command.h"
#include "tools/message.h"
#include "tools/program.h"
#include "tools/shim.h"
#include "tools/spawn.h"
#include "tools/trace_dir.h"

#include "preload/conf.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
#define CONF(name, env, type, def, help) CONF_##name,
#include "preload/conf.def"
	N_CONF
};

/* What the user gave: text, or a flag. */
static struct {
	const char *text;
	bool flag;
} given[N_CONF];

static const char *shim_option;
static bool force;

#define METAVAR_STRING "DIR"
#define METAVAR_GLOBS "GLOB,..."
#define METAVAR_COUNT "N"
#define METAVAR_BYTES "SIZE"
#define METAVAR_FLAG NULL
#define KIND_STRING EKKA_OPT_TEXT
#define KIND_GLOBS EKKA_OPT_TEXT
#define KIND_COUNT EKKA_OPT_TEXT
#define KIND_BYTES EKKA_OPT_TEXT
#define KIND_FLAG EKKA_OPT_FLAG
#define COMPLETE_STRING "@dir"
#define COMPLETE_GLOBS NULL
#define COMPLETE_COUNT NULL
#define COMPLETE_BYTES NULL
#define COMPLETE_FLAG NULL

/* The parser of the shim itself judges the values (see check), so that both always agree. */
const struct ekka_option ekka_record_options[] = {
#define CONF(id, env, type, def, words)                                                                          \
	{ .kind = KIND_##type, .letter = CONF_##id == CONF_output ? 'o' : 0, .name = #id,                        \
	  .metavar = METAVAR_##type, .help = words,                                                               \
	  .value = KIND_##type == EKKA_OPT_FLAG ? (void *)&given[CONF_##id].flag : (void *)&given[CONF_##id].text, \
	  .complete = COMPLETE_##type },
#define CONF_ENUM(id, env, values, def, words)                                                                   \
	{ .kind = EKKA_OPT_TEXT, .name = #id, .metavar = values, .help = words, .value = &given[CONF_##id].text,   \
	  .complete = values },
#include "preload/conf.def"
	{ .kind = EKKA_OPT_FLAG, .letter = 'f', .name = "force", .value = &force,
	  .help = "replace the output directory if it is a trace" },
	{ .kind = EKKA_OPT_TEXT, .name = "shim", .metavar = "FILE", .value = &shim_option, .complete = "@file",
	  .help = "preload this library instead of the " EKKA_SHIM_NAME " that belongs to this command" },
	EKKA_OPTIONS_END
};

static const char *const variables[N_CONF] = {
#define CONF(id, env, type, def, help) [CONF_##id] = env,
#include "preload/conf.def"
};

struct launch {
	char shim[PATH_MAX];
	char folder[PATH_MAX];		/* where we were started: a relative output is meant from here */
	const char *program;		/* without its folder */
	char output[PATH_MAX];		/* absolute; in the parent filled after the start */
};

/* The shim sees the values in its environment, as if the user had set them there. */
static int set_variables(void)
{
	for (size_t i = 0; i < N_CONF; i++) {
		const char *value = given[i].flag ? "1" : given[i].text;

		if (value && setenv(variables[i], value, 1) != 0)
			return ekka_fatal_errno("cannot set %s", variables[i]);
	}
	return 0;
}

/* Refuses what the shim would refuse, before anything runs. */
static int check(const struct ekka_command *self)
{
	static struct ekka_conf conf;
	char why[256];

	if (!ekka_conf_parse(&conf, environ, why, sizeof(why)))
		return ekka_command_usage_error(self, "%s", why);
	return 0;
}

/* `shown` is what the user called it. */
static int make_room(const char *shown, const char *path)
{
	switch (ekka_trace_dir_kind(path)) {
	case EKKA_DIR_NONE:
	case EKKA_DIR_EMPTY:
		return 0;
	case EKKA_DIR_ERROR:
		return ekka_fatal_errno("cannot use '%s'", shown);
	case EKKA_DIR_OTHER:
		return ekka_fatal("'%s' is there and is not a trace; will not write into it", shown);
	case EKKA_DIR_TRACE:
		break;
	}
	if (!force)
		return ekka_fatal("'%s' exists; --force replaces it", shown);
	if (ekka_trace_dir_remove(path) != 0)
		return ekka_fatal_errno("cannot remove '%s'", shown);
	return 0;
}

/* The trace's absolute path, as children may change directory before they exec. */
static int output_path(struct launch *l, pid_t pid)
{
	const char *name = getenv("EKKA_OUTPUT");
	char made[NAME_MAX + 1];
	int n;

	if (!name || !*name) {
		snprintf(made, sizeof(made), "ekka-%.64s-%d.ekka", l->program, (int)pid);
		name = made;
	}
	if (*name == '/')
		n = snprintf(l->output, sizeof(l->output), "%s", name);
	else
		n = snprintf(l->output, sizeof(l->output), "%s/%s", l->folder, name);
	return n < 0 || (size_t)n >= sizeof(l->output) ? -1 : 0;
}

/* In the child: ours before whatever is preloaded already. */
static void prepare(void *arg)
{
	struct launch *l = arg;
	const char *others = getenv("LD_PRELOAD");
	char *list = NULL;

	if (output_path(l, getpid()) == 0)
		setenv("EKKA_OUTPUT", l->output, 1);
	if (asprintf(&list, "%s%s%s", l->shim, others && *others ? ":" : "", others ? others : "") >= 0)
		setenv("LD_PRELOAD", list, 1);
}

static int find_shim(struct launch *l)
{
	if (shim_option) {
		if (!realpath(shim_option, l->shim) || access(l->shim, R_OK) != 0)
			return ekka_fatal_errno("cannot open '%s'", shim_option);
	} else if (ekka_shim_find(l->shim, sizeof(l->shim)) != 0) {
		return ekka_fatal("cannot find " EKKA_SHIM_NAME "; --shim says where it is");
	}
	if (strpbrk(l->shim, ": \t\n"))
		return ekka_fatal("'%s' cannot be preloaded: LD_PRELOAD separates paths by blanks and colons", l->shim);
	return 0;
}

/* Says what would otherwise go unnoticed: a program that never had the shim, or that was killed. */
static void tell(const struct launch *l, const struct ekka_spawn_result *r)
{
	int sig = WIFSIGNALED(r->wait_status) ? WTERMSIG(r->wait_status) : 0;
	bool recorded = ekka_trace_dir_kind(l->output) == EKKA_DIR_TRACE;
	const char *level = getenv("EKKA_LEVEL");

	if (sig)
		ekka_message("'%s' was killed by signal %d (%s)%s%s", l->program, sig, strsignal(sig),
			     recorded ? "; what it had recorded is in " : "", recorded ? l->output : "");
	else if (!recorded && !(level && strcmp(level, "off") == 0))
		ekka_warning("'%s' recorded nothing: it made no call that was to be recorded, or did not load the shim; "
			     "'ekka doctor' may say more", l->program);
}

static int run(struct launch *l, char **argv)
{
	struct ekka_spawn_result result;
	int status;

	if (ekka_spawn(argv, prepare, l, &result) != 0)
		return ekka_fatal_errno("cannot start '%s'", argv[0]);
	status = ekka_spawn_status(&result);
	if (result.start_errno) {
		errno = result.start_errno;
		(void)ekka_fatal_errno("cannot run '%s'", argv[0]);
	} else if (output_path(l, result.pid) == 0) {
		tell(l, &result);
	}
	return status;
}

int ekka_cmd_record(const struct ekka_command *self, int argc, char **argv)
{
	static struct launch l;
	char path[PATH_MAX];
	const char *obstacle, *slash;
	int status;
	int i = ekka_command_parse(self, argc, argv, &status);

	if (i < 0)
		return status;
	if (i == argc)
		return ekka_command_usage_error(self, "no program given");
	if ((status = set_variables()) || (status = check(self)) || (status = find_shim(&l)))
		return status;
	if (!getcwd(l.folder, sizeof(l.folder)))
		return ekka_fatal_errno("cannot tell the current directory");
	slash = strrchr(argv[i], '/');
	l.program = slash ? slash + 1 : argv[i];
	if (output_path(&l, 0) != 0)
		return ekka_fatal("the path of the output is too long");
	if (getenv("EKKA_OUTPUT") && *getenv("EKKA_OUTPUT") && (status = make_room(getenv("EKKA_OUTPUT"), l.output)))
		return status;
	obstacle = ekka_program_find(argv[i], path, sizeof(path)) == 0 ? ekka_program_obstacle(path) : NULL;
	if (obstacle)
		ekka_warning("'%s' will probably not be recorded: %s", argv[i], obstacle);
	return run(&l, argv + i);
}
