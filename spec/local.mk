# spec/: tables and the generator. What it makes lies in the build directory under spec/gen/ and is never committed.
#
# For preload/local.mk: libekkawrap.la (the wrappers and their tables, for libekkatrace_la_LIBADD) and $(EKKA_SPEC_MAP), the
# version script to link with. For the tools: libspec.la (spec.h).
# ops.spec first: the others use its blocks.
EKKA_SPECS = $(srcdir)/spec/ops.spec $(srcdir)/spec/cblas.spec $(srcdir)/spec/blas.spec $(srcdir)/spec/cublas.spec \
	$(srcdir)/spec/cublas-others.spec $(srcdir)/spec/cublaslt.spec $(srcdir)/spec/cudnn.spec $(srcdir)/spec/enums.spec $(srcdir)/spec/shim.spec
EKKA_SPEC_PARSER = $(srcdir)/spec/parse.awk $(srcdir)/spec/ctypes.awk
EKKA_SPEC_GENERATORS = spec/parse.awk spec/ctypes.awk spec/gen-ids.awk spec/gen-fns.awk spec/gen-map.awk spec/gen-wrappers.awk \
	spec/gen-tables.awk spec/gen-doc.awk
EXTRA_DIST += spec/README.md spec/dtypes.def spec/ops.def spec/cublas_types.h \
	spec/ops.spec spec/cblas.spec spec/blas.spec spec/cublas.spec spec/cublas-others.spec \
	spec/cublaslt.spec spec/cudnn.spec \
	spec/enums.spec spec/shim.spec $(EKKA_SPEC_GENERATORS)

EKKA_SPEC_APIS = cblas blas
EKKA_SPEC_SOURCES = spec/gen/fns.c spec/gen/wrap-cblas.c spec/gen/wrap-blas.c
if HAVE_CUDA
EKKA_SPEC_APIS += cublas cublas_single cublaslt
EKKA_SPEC_SOURCES += spec/gen/wrap-cublas.c
endif
if HAVE_CUDNN
EKKA_SPEC_APIS += cudnn
EKKA_SPEC_SOURCES += spec/gen/wrap-cudnn.c
endif
EKKA_SPEC_MAP = spec/gen/exports.map
EKKA_SPEC_GENERATED = spec/gen/ids.h $(EKKA_SPEC_SOURCES) $(EKKA_SPEC_MAP) spec/gen/tables.c spec/gen/functions.md
BUILT_SOURCES += $(EKKA_SPEC_GENERATED)
CLEANFILES += $(EKKA_SPEC_GENERATED)

# LC_ALL=C: awk compares strings by the locale. $(@F) is written aside first: a failed run must leave no target.
EKKA_GENERATE = $(AM_V_GEN)$(MKDIR_P) spec/gen && LC_ALL=C $(AWK) -f $(srcdir)/spec/parse.awk -f $(srcdir)/spec/ctypes.awk
EKKA_GENERATE_END = -v LIBRARIES="$(EKKA_SPEC_APIS)" $(EKKA_SPECS) >$@.tmp && mv $@.tmp $@
$(EKKA_SPEC_GENERATED): $(EKKA_SPECS) $(EKKA_SPEC_PARSER)

spec/gen/ids.h: $(srcdir)/spec/gen-ids.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-ids.awk $(EKKA_GENERATE_END)
spec/gen/fns.c: $(srcdir)/spec/gen-fns.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-fns.awk $(EKKA_GENERATE_END)
spec/gen/exports.map: $(srcdir)/spec/gen-map.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-map.awk $(EKKA_GENERATE_END)
spec/gen/tables.c: $(srcdir)/spec/gen-tables.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-tables.awk $(EKKA_GENERATE_END)
spec/gen/functions.md: $(srcdir)/spec/gen-doc.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-doc.awk $(EKKA_GENERATE_END)
spec/gen/wrap-cblas.c: $(srcdir)/spec/gen-wrappers.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-wrappers.awk -v LIBRARY=cblas $(EKKA_GENERATE_END)
spec/gen/wrap-blas.c: $(srcdir)/spec/gen-wrappers.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-wrappers.awk -v LIBRARY=blas $(EKKA_GENERATE_END)
spec/gen/wrap-cublas.c: $(srcdir)/spec/gen-wrappers.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-wrappers.awk -v LIBRARY=cublas $(EKKA_GENERATE_END)
spec/gen/wrap-cudnn.c: $(srcdir)/spec/gen-wrappers.awk
	$(EKKA_GENERATE) -f $(srcdir)/spec/gen-wrappers.awk -v LIBRARY=cudnn $(EKKA_GENERATE_END)

noinst_LTLIBRARIES += libekkawrap.la
libekkawrap_la_SOURCES = spec/wrap.h
if HAVE_CUDA
# Written by hand.
libekkawrap_la_SOURCES += preload/cublaslt.c preload/cublaslt_desc.h preload/cublaslt_desc.c preload/cublaslt_transform.c \
	preload/cublas_workspace.h preload/cublas_workspace.c
endif
if HAVE_CUDNN
libekkawrap_la_SOURCES += preload/cudnn.h preload/cudnn.c preload/cudnn_types.h preload/cudnn_json.h preload/cudnn_json.c \
	preload/cudnn_graph.h preload/cudnn_graph.c preload/cudnn_plan.h preload/cudnn_plan.c preload/cudnn_pack.h preload/cudnn_pack.c \
	preload/cudnn_sdpa.h preload/cudnn_sdpa.c preload/cudnn_sdpa_plan.c preload/cudnn_conv.c preload/cudnn_matmul.c preload/cudnn_norm.c preload/cudnn_pool.c preload/cudnn_pointwise.c preload/cudnn_getters.h preload/cudnn_getters.c preload/cudnn_notes.h preload/cudnn_notes.c \
	preload/cudnn_legacy.h preload/cudnn_legacy.c preload/cudnn_legacy_rows.c preload/cudnn_legacy_conv.c
endif
nodist_libekkawrap_la_SOURCES = $(EKKA_SPEC_SOURCES)
libekkawrap_la_CPPFLAGS = $(AM_CPPFLAGS)
if HAVE_CUDA
libekkawrap_la_CPPFLAGS += -isystem $(CUDA_HOME_DIR)/include
endif

noinst_LTLIBRARIES += libspec.la
libspec_la_SOURCES = spec/spec.h spec/spec.c
nodist_libspec_la_SOURCES = spec/gen/tables.c
nodist_doc_DATA = spec/gen/functions.md

# Descriptions of kernels, built in and installed: spec/kernels/local.mk lists them.
include spec/kernels/local.mk
EXTRA_DIST += spec/gen-kernels.awk
dist_kernels_DATA = $(EKKA_KERNELS) spec/kernels/README.md
kernelsdir = $(pkgdatadir)/kernels
spec/gen/kernels.c: $(EKKA_KERNELS) spec/gen-kernels.awk
	$(AM_V_GEN)$(MKDIR_P) spec/gen && LC_ALL=C $(AWK) -f $(srcdir)/spec/gen-kernels.awk \
		`for f in $(EKKA_KERNELS); do echo $(srcdir)/$$f; done` </dev/null >$@.tmp && mv $@.tmp $@
BUILT_SOURCES += spec/gen/kernels.c
CLEANFILES += spec/gen/kernels.c

# What describes launches, in the shim and in the tools. Users also link preload/lock.c and libiberty.
noinst_LTLIBRARIES += libdescribe.la
libdescribe_la_SOURCES = spec/describe.h spec/describe.c spec/demangle.c spec/arena.h spec/arena.c spec/kernels_builtin.h \
	spec/kd.h spec/kd_lex.h spec/kd_lex.c spec/kd_node.h spec/kd_node.c spec/kd_expr.c spec/kd_parse.c spec/kd_pattern.c spec/kd_types.c \
	spec/kd_value.h spec/kd_eval.c spec/kd_read.c spec/kd_ops.c spec/kd_call.c spec/kd_run.c spec/kd_tensor.c spec/kd_bind.c spec/kd_load.c
nodist_libdescribe_la_SOURCES = spec/gen/kernels.c
