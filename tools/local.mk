# files of tools/

# Symbols for `show` and `replay`; a library of its own so that its test links it alone.
noinst_LTLIBRARIES += libsymbolize.la
libsymbolize_la_SOURCES = tools/symbolize.h tools/symbolize.c
libsymbolize_la_CPPFLAGS = $(AM_CPPFLAGS) $(DW_CFLAGS)
libsymbolize_la_LIBADD = $(DW_LIBS)

# What the commands share; a library so that unit tests link it.
noinst_LTLIBRARIES += libtools.la
libtools_la_SOURCES = tools/command.h tools/options.h tools/options.c tools/message.h tools/message.c \
	tools/term.h tools/term.c tools/text.h tools/text.c tools/json.h tools/json.c \
	tools/shim.h tools/shim.c tools/program.h tools/program.c tools/spawn.h tools/spawn.c \
	tools/trace_dir.h tools/trace_dir.c tools/probe.h tools/probe.c tools/event.h tools/event.c \
	tools/caller.h tools/caller.c tools/margins.h tools/margins.c tools/kernel_name.h tools/kernel_name.c tools/slice.h tools/slice.c tools/tensor_view.h tools/tensor_view.c
libtools_la_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE $(JSON_CFLAGS) $(DW_CFLAGS) \
	-DEKKA_LIBDIR='"$(libdir)"' -DEKKA_PKGLIBDIR='"$(pkglibdir)"'
libtools_la_LIBADD = libcupti_load.la $(JSON_LIBS) $(DW_LIBS)

bin_PROGRAMS += tools/ekka
tools_ekka_SOURCES = tools/ekka.c tools/command.c tools/commands.c tools/dump_table.c \
	tools/cmd_record.c tools/cmd_log.c tools/cmd_kernels.c tools/cmd_show.c tools/cmd_replay.c tools/cmd_export.c tools/cmd_fsck.c tools/cmd_doctor.c tools/cmd_help.c \
	tools/open.h tools/open.c tools/show.h tools/show_pointers.h tools/show_pointers.c tools/show_event.c tools/show_json.c tools/show_values.c \
	tools/kernels_collect.h tools/kernels_collect.c tools/kernels_modules.h tools/kernels_modules.c tools/kernels_time.h tools/kernels_time.c tools/kernels_skeleton.h tools/kernels_skeleton.c \
	tools/margins.h tools/margins.c tools/report.h tools/report.c tools/report_text.c tools/report_json.c \
	tools/export.h tools/export_trace.c tools/export_tensors.c tools/export_program.c tools/export_call.h tools/export_call.c \
	tools/safetensors.h tools/safetensors.c \
	preload/conf.c preload/lock.c
tools_ekka_CPPFLAGS = $(AM_CPPFLAGS) -D_GNU_SOURCE $(JSON_CFLAGS)
tools_ekka_LDADD = libtools.la libsymbolize.la libspec.la libdescribe.la libreplay.la libcompare.la libtrace.la $(OPENBLAS_LIBS) -liberty -lm

# The fixed part of exported programs, as a C string.
tools/export_runtime.inc: tools/export/runtime.c
	$(AM_V_GEN)$(MKDIR_P) tools && sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $(srcdir)/tools/export/runtime.c >$@.tmp && mv $@.tmp $@
BUILT_SOURCES += tools/export_runtime.inc
CLEANFILES += tools/export_runtime.inc
EXTRA_DIST += tools/export/runtime.c

# One man page per command: head, synopsis and options from the command table, the prose from tools/man/.
# They are made by running the new ekka, so a cross build needs a way to run it.
man_prose = tools/man/ekka.roff tools/man/record.roff tools/man/log.roff tools/man/kernels.roff tools/man/show.roff tools/man/replay.roff tools/man/export.roff tools/man/fsck.roff \
	tools/man/doctor.roff tools/man/help.roff
man_pages = tools/ekka.1 tools/ekka-record.1 tools/ekka-log.1 tools/ekka-kernels.1 tools/ekka-show.1 tools/ekka-replay.1 tools/ekka-export.1 tools/ekka-fsck.1 tools/ekka-doctor.1 tools/ekka-help.1
EXTRA_DIST += $(man_prose) tools/completion.bash
man_MANS = $(man_pages)
dist_man_MANS += tools/man/ekka-kernels.5
completiondir = $(datadir)/bash-completion/completions
nodist_completion_DATA = tools/completions/ekka
CLEANFILES += $(man_pages) $(nodist_completion_DATA)

$(man_pages): tools/ekka$(EXEEXT) $(man_prose)
	$(AM_V_GEN)command=`basename $@ .1 | sed 's/^ekka-*//'`; \
	tools/ekka$(EXEEXT) --dump-table man $$command <$(srcdir)/tools/man/$${command:-ekka}.roff >$@.tmp && mv $@.tmp $@

tools/completions/ekka: tools/ekka$(EXEEXT) tools/completion.bash
	$(AM_V_GEN)mkdir -p tools/completions && \
	{ tools/ekka$(EXEEXT) --dump-table completion && cat $(srcdir)/tools/completion.bash; } >$@.tmp && mv $@.tmp $@
