if HAVE_CRITERION
replay_tests = tests/unit/replay/test_audit \
	tests/unit/replay/test_array \
	tests/unit/replay/test_blobs \
	tests/unit/replay/test_cat \
	tests/unit/replay/test_attention \
	tests/unit/replay/test_attention_combine \
	tests/unit/replay/test_bag \
	tests/unit/replay/test_list \
	tests/unit/replay/test_scan_order \
	tests/unit/replay/test_moe \
	tests/unit/replay/test_nll \
	tests/unit/replay/test_quantize \
	tests/unit/replay/test_rope \
	tests/unit/replay/test_sample \
	tests/unit/replay/test_team \
	tests/unit/replay/test_conv \
	tests/unit/replay/test_pool \
	tests/unit/replay/test_convert \
	tests/unit/replay/test_described \
	tests/unit/replay/test_epilogue \
	tests/unit/replay/test_elementwise \
	tests/unit/replay/test_expr \
	tests/unit/replay/test_expr_explain \
	tests/unit/replay/test_scatter \
	tests/unit/replay/test_gemm \
	tests/unit/replay/test_gemm_explain \
	tests/unit/replay/test_gemm_screen \
	tests/unit/replay/test_gemm_thin \
	tests/unit/replay/test_interval \
	tests/unit/replay/test_lineage \
	tests/unit/replay/test_matmul \
	tests/unit/replay/test_quantized \
	tests/unit/replay/test_narrow \
	tests/unit/replay/test_norm \
	tests/unit/replay/test_panel \
	tests/unit/replay/test_radix \
	tests/unit/replay/test_random \
	tests/unit/replay/test_reduce \
	tests/unit/replay/test_scan \
	tests/unit/replay/test_softmax \
	tests/unit/replay/test_sort \
	tests/unit/replay/test_sum_product \
	tests/unit/replay/test_run
check_PROGRAMS += $(replay_tests)
TESTS += $(replay_tests)
replay_test_libs = libreplay.la libcompare.la libtrace.la $(OPENBLAS_LIBS) $(CRITERION_LIBS) -lm -lpthread
replay_test_problem = tests/unit/replay/problem.h tests/unit/replay/problem.c
tests_unit_replay_test_sum_product_SOURCES = tests/unit/replay/test_sum_product.c
tests_unit_replay_test_sum_product_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_sum_product_LDADD = $(replay_test_libs)
tests_unit_replay_test_blobs_SOURCES = tests/unit/replay/test_blobs.c tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c $(replay_test_problem)
tests_unit_replay_test_blobs_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_blobs_LDADD = $(replay_test_libs)
tests_unit_replay_test_audit_SOURCES = tests/unit/replay/test_audit.c tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c \
	tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c $(replay_test_problem)
tests_unit_replay_test_audit_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_audit_LDADD = $(replay_test_libs)
tests_unit_replay_test_cat_SOURCES = tests/unit/replay/test_cat.c tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c \
	tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c $(replay_test_problem)
tests_unit_replay_test_cat_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_cat_LDADD = $(replay_test_libs)
tests_unit_replay_test_described_SOURCES = tests/unit/replay/test_described.c tests/unit/spec/launch_table.h tests/unit/spec/launch_table.c \
	tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c \
	$(replay_test_problem) preload/lock.c
tests_unit_replay_test_described_CPPFLAGS = $(AM_CPPFLAGS) -DLAUNCHES='"$(abs_srcdir)/tests/unit/spec/aten.launches"'
tests_unit_replay_test_described_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_described_LDADD = libdescribe.la $(replay_test_libs) -liberty
tests_unit_replay_test_matmul_SOURCES = tests/unit/replay/test_matmul.c tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c \
	tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c tests/unit/replay/samples.h tests/unit/replay/samples.c
tests_unit_replay_test_matmul_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_matmul_LDADD = $(replay_test_libs)
tests_unit_replay_test_quantized_SOURCES = tests/unit/replay/test_quantized.c tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c \
	tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c tests/unit/replay/samples.h tests/unit/replay/samples.c
tests_unit_replay_test_quantized_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_quantized_LDADD = $(replay_test_libs)
tests_unit_replay_test_convert_SOURCES = tests/unit/replay/test_convert.c
tests_unit_replay_test_convert_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_convert_LDADD = $(replay_test_libs)
tests_unit_replay_test_epilogue_SOURCES = tests/unit/replay/test_epilogue.c
tests_unit_replay_test_epilogue_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_epilogue_LDADD = $(replay_test_libs)
if HAVE_CUDA
check_PROGRAMS += tests/unit/replay/test_gpu
TESTS += tests/unit/replay/test_gpu
tests_unit_replay_test_gpu_SOURCES = tests/unit/replay/test_gpu.c tests/unit/replay/gpu_stand_in.h tests/unit/replay/gpu_stand_in.c \
	tests/unit/replay/attention_sim.h tests/unit/replay/attention_sim.c tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c \
	tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c $(replay_test_problem)
tests_unit_replay_test_gpu_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_unit_replay_test_gpu_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) $(OPENBLAS_CFLAGS)
tests_unit_replay_test_gpu_LDADD = $(replay_test_libs)
check_PROGRAMS += tests/unit/replay/test_gpu_product
TESTS += tests/unit/replay/test_gpu_product
tests_unit_replay_test_gpu_product_SOURCES = tests/unit/replay/test_gpu_product.c tests/unit/replay/gpu_stand_in.h tests/unit/replay/gpu_stand_in.c \
	tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c $(replay_test_problem)
tests_unit_replay_test_gpu_product_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_unit_replay_test_gpu_product_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) $(OPENBLAS_CFLAGS)
tests_unit_replay_test_gpu_product_LDADD = $(replay_test_libs)
check_PROGRAMS += tests/unit/replay/test_gpu_rows
TESTS += tests/unit/replay/test_gpu_rows
tests_unit_replay_test_gpu_rows_SOURCES = tests/unit/replay/test_gpu_rows.c tests/unit/replay/gpu_stand_in.h tests/unit/replay/gpu_stand_in.c \
	tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c \
	tests/unit/replay/samples.h tests/unit/replay/samples.c $(replay_test_problem)
tests_unit_replay_test_gpu_rows_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_unit_replay_test_gpu_rows_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) $(OPENBLAS_CFLAGS)
tests_unit_replay_test_gpu_rows_LDADD = $(replay_test_libs)
check_PROGRAMS += tests/unit/replay/test_gpu_expr
TESTS += tests/unit/replay/test_gpu_expr
tests_unit_replay_test_gpu_expr_SOURCES = tests/unit/replay/test_gpu_expr.c tests/unit/replay/gpu_stand_in.h tests/unit/replay/gpu_stand_in.c \
	tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c \
	tests/unit/replay/samples.h tests/unit/replay/samples.c $(replay_test_problem)
tests_unit_replay_test_gpu_expr_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_unit_replay_test_gpu_expr_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) $(OPENBLAS_CFLAGS)
tests_unit_replay_test_gpu_expr_LDADD = $(replay_test_libs)
check_PROGRAMS += tests/unit/replay/test_gpu_cat
TESTS += tests/unit/replay/test_gpu_cat
tests_unit_replay_test_gpu_cat_SOURCES = tests/unit/replay/test_gpu_cat.c tests/unit/replay/gpu_stand_in.h tests/unit/replay/gpu_stand_in.c \
	tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c $(replay_test_problem)
tests_unit_replay_test_gpu_cat_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
tests_unit_replay_test_gpu_cat_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS) $(OPENBLAS_CFLAGS)
tests_unit_replay_test_gpu_cat_LDADD = $(replay_test_libs)
endif
tests_unit_replay_test_sample_SOURCES = tests/unit/replay/test_sample.c
tests_unit_replay_test_sample_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_sample_LDADD = $(replay_test_libs)
tests_unit_replay_test_team_SOURCES = tests/unit/replay/test_team.c tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c \
	tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c $(replay_test_problem)
tests_unit_replay_test_team_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_team_LDADD = $(replay_test_libs)
tests_unit_replay_test_gemm_SOURCES = tests/unit/replay/test_gemm.c $(replay_test_problem)
tests_unit_replay_test_gemm_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_gemm_LDADD = $(replay_test_libs)
tests_unit_replay_test_gemm_explain_SOURCES = tests/unit/replay/test_gemm_explain.c $(replay_test_problem)
tests_unit_replay_test_gemm_explain_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_gemm_explain_LDADD = $(replay_test_libs)
tests_unit_replay_test_gemm_screen_SOURCES = tests/unit/replay/test_gemm_screen.c $(replay_test_problem)
tests_unit_replay_test_gemm_screen_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_gemm_screen_LDADD = $(replay_test_libs)
tests_unit_replay_test_gemm_thin_SOURCES = tests/unit/replay/test_gemm_thin.c $(replay_test_problem)
tests_unit_replay_test_gemm_thin_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_gemm_thin_LDADD = $(replay_test_libs)
tests_unit_replay_test_run_SOURCES = tests/unit/replay/test_run.c $(replay_test_problem) \
	tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c
tests_unit_replay_test_run_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_run_LDADD = $(replay_test_libs) libdescribe.la libtrace.la -liberty
tests_unit_replay_test_interval_SOURCES = tests/unit/replay/test_interval.c
tests_unit_replay_test_interval_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_interval_LDADD = $(replay_test_libs)
tests_unit_replay_test_lineage_SOURCES = tests/unit/replay/test_lineage.c
tests_unit_replay_test_lineage_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_lineage_LDADD = $(replay_test_libs)
tests_unit_replay_test_panel_SOURCES = tests/unit/replay/test_panel.c
tests_unit_replay_test_panel_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_panel_LDADD = $(replay_test_libs)
tests_unit_replay_test_array_SOURCES = tests/unit/replay/test_array.c tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c \
	tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c $(replay_test_problem)
tests_unit_replay_test_array_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_array_LDADD = $(replay_test_libs)
tests_unit_replay_test_quantize_SOURCES = tests/unit/replay/test_quantize.c $(replay_test_rows)
tests_unit_replay_test_quantize_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_quantize_LDADD = $(replay_test_libs)
tests_unit_replay_test_bag_SOURCES = tests/unit/replay/test_bag.c $(replay_test_rows)
tests_unit_replay_test_bag_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_bag_LDADD = $(replay_test_libs)
tests_unit_replay_test_nll_SOURCES = tests/unit/replay/test_nll.c $(replay_test_rows)
tests_unit_replay_test_nll_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_nll_LDADD = $(replay_test_libs)
tests_unit_replay_test_list_SOURCES = tests/unit/replay/test_list.c $(replay_test_rows)
tests_unit_replay_test_list_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_list_LDADD = $(replay_test_libs)
tests_unit_replay_test_scan_order_SOURCES = tests/unit/replay/test_scan_order.c $(replay_test_rows)
tests_unit_replay_test_scan_order_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_scan_order_LDADD = $(replay_test_libs)
tests_unit_replay_test_moe_SOURCES = tests/unit/replay/test_moe.c $(replay_test_rows)
tests_unit_replay_test_moe_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_moe_LDADD = $(replay_test_libs)
tests_unit_replay_test_attention_combine_SOURCES = tests/unit/replay/test_attention_combine.c $(replay_test_rows)
tests_unit_replay_test_attention_combine_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_attention_combine_LDADD = $(replay_test_libs)
tests_unit_replay_test_rope_SOURCES = tests/unit/replay/test_rope.c $(replay_test_rows)
tests_unit_replay_test_rope_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_rope_LDADD = $(replay_test_libs)
tests_unit_replay_test_attention_SOURCES = tests/unit/replay/test_attention.c $(replay_test_problem) \
	tests/unit/replay/attention_sim.h tests/unit/replay/attention_sim.c \
	tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c tests/unit/replay/fake_trace.h tests/unit/replay/fake_trace.c
tests_unit_replay_test_attention_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_attention_LDADD = $(replay_test_libs)
replay_test_rows = tests/unit/replay/fake_event.h tests/unit/replay/fake_event.c tests/unit/replay/fake_trace.h \
	tests/unit/replay/fake_trace.c tests/unit/replay/samples.h tests/unit/replay/samples.c $(replay_test_problem)
tests_unit_replay_test_reduce_SOURCES = tests/unit/replay/test_reduce.c $(replay_test_rows)
tests_unit_replay_test_reduce_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_reduce_LDADD = $(replay_test_libs)
tests_unit_replay_test_softmax_SOURCES = tests/unit/replay/test_softmax.c $(replay_test_rows)
tests_unit_replay_test_softmax_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_softmax_LDADD = $(replay_test_libs)
tests_unit_replay_test_narrow_SOURCES = tests/unit/replay/test_narrow.c
tests_unit_replay_test_narrow_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_narrow_LDADD = $(replay_test_libs)
tests_unit_replay_test_norm_SOURCES = tests/unit/replay/test_norm.c $(replay_test_rows)
tests_unit_replay_test_norm_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_norm_LDADD = $(replay_test_libs)
tests_unit_replay_test_expr_explain_SOURCES = tests/unit/replay/test_expr_explain.c $(replay_test_rows)
tests_unit_replay_test_expr_explain_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_expr_explain_LDADD = $(replay_test_libs)
tests_unit_replay_test_expr_SOURCES = tests/unit/replay/test_expr.c
tests_unit_replay_test_expr_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_expr_LDADD = $(replay_test_libs)
tests_unit_replay_test_scan_SOURCES = tests/unit/replay/test_scan.c $(replay_test_rows)
tests_unit_replay_test_scan_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_scan_LDADD = $(replay_test_libs)
tests_unit_replay_test_sort_SOURCES = tests/unit/replay/test_sort.c $(replay_test_rows)
tests_unit_replay_test_sort_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_sort_LDADD = $(replay_test_libs)
tests_unit_replay_test_elementwise_SOURCES = tests/unit/replay/test_elementwise.c $(replay_test_rows)
tests_unit_replay_test_elementwise_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_elementwise_LDADD = $(replay_test_libs)
tests_unit_replay_test_scatter_SOURCES = tests/unit/replay/test_scatter.c $(replay_test_rows)
tests_unit_replay_test_scatter_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_scatter_LDADD = $(replay_test_libs)
tests_unit_replay_test_radix_SOURCES = tests/unit/replay/test_radix.c $(replay_test_rows)
tests_unit_replay_test_radix_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_radix_LDADD = $(replay_test_libs)
tests_unit_replay_test_random_SOURCES = tests/unit/replay/test_random.c $(replay_test_rows)
tests_unit_replay_test_random_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_random_LDADD = $(replay_test_libs)
tests_unit_replay_test_conv_SOURCES = tests/unit/replay/test_conv.c $(replay_test_rows)
tests_unit_replay_test_conv_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_conv_LDADD = $(replay_test_libs)
tests_unit_replay_test_pool_SOURCES = tests/unit/replay/test_pool.c $(replay_test_rows)
tests_unit_replay_test_pool_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
tests_unit_replay_test_pool_LDADD = $(replay_test_libs)
endif
