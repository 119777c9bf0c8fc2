# libcupti_load: finds CUPTI at run time.
noinst_LTLIBRARIES += libcupti_load.la
libcupti_load_la_SOURCES = cupti/load.h cupti/load.c
