# cuDNN: the stand-in, the subject in its three forms, and the test that records it.
EXTRA_DIST += tests/fake/fake_cudnn.h tests/fake/fake_cudnn.map tests/fake/fake_cudnn_graph.map tests/gpu/cudnn_graph.h tests/gpu/cudnn_buffers.h tests/fake/test-cudnn.sh \
	tests/fake/check_cudnn.py tests/unit/preload/cudnn
if HAVE_CUDNN
if BUILD_SHIM
check_LTLIBRARIES += tests/fake/libcudnn_graph.la tests/fake/libcudnn.la tests/gpu/cudnn-plugin.la
tests_fake_libcudnn_graph_la_SOURCES = tests/fake/fake_cudnn_graph.c tests/fake/fake_cudnn_json.c tests/fake/fake_cudnn_run.c \
	tests/fake/fake_cudnn_legacy.h tests/fake/fake_cudnn_legacy.c tests/fake/fake_cudnn_descriptors.c
tests_fake_libcudnn_graph_la_CPPFLAGS = $(fake_cppflags)
tests_fake_libcudnn_graph_la_LDFLAGS = $(fake_ldflags) -version-info 9:0:0 -Wl,--version-script=$(srcdir)/tests/fake/fake_cudnn_graph.map
tests_fake_libcudnn_graph_la_LIBADD = tests/fake/libcuda.la -lm
tests_fake_libcudnn_la_SOURCES = tests/fake/fake_cudnn.c
tests_fake_libcudnn_la_CPPFLAGS = $(fake_cppflags)
tests_fake_libcudnn_la_LDFLAGS = $(fake_ldflags) -version-info 9:0:0 -Wl,--version-script=$(srcdir)/tests/fake/fake_cudnn.map
tests_fake_libcudnn_la_LIBADD = -ldl

check_PROGRAMS += tests/gpu/cudnn-linked tests/gpu/cudnn-dlsym
cudnn_cases = tests/gpu/cudnn_cases.c tests/gpu/cudnn_buffers.c tests/gpu/cudnn_attention.c tests/gpu/cudnn_convolution.c tests/gpu/cudnn_rows.c \
	tests/gpu/cudnn_graph.c
tests_gpu_cudnn_linked_SOURCES = $(cudnn_cases)
tests_gpu_cudnn_linked_CPPFLAGS = $(fake_cppflags)
tests_gpu_cudnn_linked_LDADD = tests/fake/libcudnn.la tests/fake/libcudart.la -lm
tests_gpu_cudnn_dlsym_SOURCES = $(cudnn_cases)
tests_gpu_cudnn_dlsym_CPPFLAGS = $(fake_cppflags) -DVIA_DLSYM
tests_gpu_cudnn_dlsym_LDADD = tests/fake/libcudart.la -ldl -lm
tests_gpu_cudnn_plugin_la_SOURCES = $(cudnn_cases)
tests_gpu_cudnn_plugin_la_CPPFLAGS = $(fake_cppflags) -DAS_PLUGIN
tests_gpu_cudnn_plugin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath $(abs_builddir)/tests/gpu
tests_gpu_cudnn_plugin_la_LIBADD = tests/fake/libcudnn.la tests/fake/libcudart.la -lm
check_PROGRAMS += tests/gpu/cudnn-legacy
tests_gpu_cudnn_legacy_SOURCES = tests/gpu/cudnn_legacy.c
tests_gpu_cudnn_legacy_CPPFLAGS = $(fake_cppflags)
tests_gpu_cudnn_legacy_LDADD = tests/fake/libcudnn.la tests/fake/libcudart.la -lm

# A cuDNN that is wrong once, preloaded behind the shim.
check_LTLIBRARIES += tests/gpu/libfaulty-cudnn.la
tests_gpu_libfaulty_cudnn_la_SOURCES = tests/gpu/faulty_cudnn.c
tests_gpu_libfaulty_cudnn_la_CPPFLAGS = $(fake_cppflags)
tests_gpu_libfaulty_cudnn_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath $(abs_builddir)/tests/gpu
tests_gpu_libfaulty_cudnn_la_LIBADD = -ldl -lpthread
TESTS += tests/fake/test-cudnn.sh

if HAVE_CRITERION
check_PROGRAMS += tests/unit/preload/test_cudnn
TESTS += tests/unit/preload/test_cudnn
tests_unit_preload_test_cudnn_SOURCES = tests/unit/preload/test_cudnn.c preload/cudnn.c preload/cudnn_getters.c preload/cudnn_notes.c preload/cudnn_json.c preload/cudnn_graph.c \
	preload/cudnn_plan.c preload/cudnn_pack.c preload/cudnn_sdpa.h preload/cudnn_sdpa.c preload/cudnn_sdpa_plan.c preload/cudnn_conv.c preload/cudnn_matmul.c preload/cudnn_norm.c preload/cudnn_pool.c preload/cudnn_pointwise.c
tests_unit_preload_test_cudnn_CPPFLAGS = $(fake_cppflags)
tests_unit_preload_test_cudnn_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_preload_test_cudnn_LDADD = libtrace.la $(CRITERION_LIBS) -lm
endif
endif
endif
