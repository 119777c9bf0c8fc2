noinst_LTLIBRARIES += libreplay.la
libreplay_la_SOURCES = replay/op.h replay/replay.h replay/op.c
