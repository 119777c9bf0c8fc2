/* SPDX-License-Identifier: Apache-2.0 */
/* The table of subcommands, in the order help shows them. */
#include "tools/command.h"

const struct ekka_command ekka_commands[] = {
	{ "record", ekka_cmd_record, EKKA_CMD_SPAWNS, "[--] PROGRAM [ARG...]",
	  "run a program and record its calls", ekka_record_options },
	{ "log", ekka_cmd_log, EKKA_CMD_TRACE, "[TRACE]", "list recorded calls", ekka_log_options },
	{ "kernels", ekka_cmd_kernels, EKKA_CMD_TRACE, "[TRACE]", "list GPU kernels and how often they were launched", ekka_kernels_options },
	{ "show", ekka_cmd_show, EKKA_CMD_TRACE, "EVENT [TRACE]", "show one call: arguments, tensors, stack", ekka_show_options },
	{ "replay", ekka_cmd_replay, EKKA_CMD_TRACE, "[TRACE]", "recompute every call and name the wrong ones",
	  ekka_replay_options_table },
	{ "export", ekka_cmd_export, EKKA_CMD_TRACE, "EVENT [TRACE]", "write one call as tensors and a program that makes it again",
	  ekka_export_options },
	{ "fsck", ekka_cmd_fsck, EKKA_CMD_TRACE, "[TRACE]", "verify a trace", ekka_fsck_options_table },
	{ "doctor", ekka_cmd_doctor, 0, "", "say what this machine can record, and why not", ekka_doctor_options },
	{ "help", ekka_cmd_help, EKKA_CMD_COMMANDS, "[COMMAND]", "explain a command", ekka_help_options },
	{ 0 },
};
