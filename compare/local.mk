# compare/: bounds, verdicts, what a wrong result looks like.
noinst_LTLIBRARIES += libcompare.la
libcompare_la_SOURCES = \
	compare/audit.h compare/audit.c \
	compare/bound.h compare/bound.c compare/bound_element.h compare/clones.h \
	compare/elements.h compare/elements.c compare/elements_bad.h compare/elements_bad.c compare/elements_looks.c \
	compare/format.h compare/format.c compare/rounding.h compare/shared.h compare/element.h \
	compare/hypothesis.h compare/hypothesis.c \
	compare/hypothesis_sums.h compare/hypothesis_sums.c \
	compare/lines.h compare/lines.c \
	compare/round.h compare/round.c \
	compare/screen.h compare/screen.c \
	compare/tally.h compare/tally.c \
	compare/verdict.h compare/verdict.c \
	compare/where.h compare/where.c
