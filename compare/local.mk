noinst_LTLIBRARIES += libcompare.la
libcompare_la_SOURCES = compare/verdict.h compare/verdict.c
