# files of tools/

# Symbols for `show` and `replay`; a library of its own so that its test links it alone.
noinst_LTLIBRARIES += libsymbolize.la
libsymbolize_la_SOURCES = tools/symbolize.h tools/symbolize.c
libsymbolize_la_CPPFLAGS = $(AM_CPPFLAGS) $(DW_CFLAGS)
libsymbolize_la_LIBADD = $(DW_LIBS)
