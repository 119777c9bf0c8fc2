# compare/: bounds, verdicts, what a wrong result looks like.
noinst_LTLIBRARIES += libcompare.la
libcompare_la_SOURCES = \
	compare/audit.h compare/audit.c \
	compare/bound.h compare/bound.c \
	compare/tally.h compare/tally.c \
	compare/verdict.h compare/verdict.c
