# replay/: re-execution on references. Users link libreplay.la libcompare.la libtrace.la, in this order, and $(OPENBLAS_LIBS).
noinst_LTLIBRARIES += libreplay.la
libreplay_la_CPPFLAGS = $(AM_CPPFLAGS) $(OPENBLAS_CFLAGS)
libreplay_la_SOURCES = \
	replay/arguments.h replay/arguments.c \
	replay/array.h replay/array.c \
	replay/audit_bytes.h replay/audit_bytes.c \
	replay/allocations.h replay/allocations.c replay/audit_flow.h replay/audit_flow.c replay/blame.h replay/blame.c replay/stale.h replay/operands.h replay/operands.c replay/stale.c \
	replay/blobs.h replay/blobs.c \
	replay/array_gaps.h replay/array_gaps.c \
	replay/attention.h replay/attention_work.h replay/attention.c replay/attention_aligned.c replay/attention_error.c replay/attention_explain.c replay/attention_run.c \
	replay/convert.h replay/convert.c \
	replay/exp.h \
	replay/fold.h replay/fold_result.h replay/fold.c replay/fold_expr.h replay/fold_expr.c \
	replay/expr.h replay/expr_internal.h replay/expr_element.h replay/expr_function.h replay/expr_whole.h replay/expr_parse.c replay/expr_layout.c replay/expr_eval.c replay/expr_arith.c replay/expr_funcs.c replay/expr_ints.c \
	replay/expr_event.h replay/expr_work.h replay/expr_event.c replay/expr_edit.h replay/expr_edit.c replay/expr_explain.h replay/expr_explain.c replay/op_elementwise.h replay/op_elementwise.c replay/op_scatter.h replay/op_scatter.c replay/scatter_expect.c replay/scatter_explain.c \
	replay/philox.h replay/philox.c replay/op_random.c replay/op_radix.c replay/op_select.c replay/op_topk_digit.c replay/op_search.c replay/op_bag.c replay/op_nll.c replay/op_list.c \
	replay/gaps.h replay/gaps.c \
	replay/gemm.h replay/gemm.c replay/gemm_blocks.h replay/gemm_blocks.c replay/team.h replay/team.c replay/backend.h \
	replay/gemm_exact.h replay/gemm_exact.c \
	replay/gemm_explain.c \
	replay/gemm_screen.h replay/gemm_screen.c replay/gemm_screen_internal.h replay/gemm_screen_sums.c replay/gemm_screen_rows.c \
	replay/half.h \
	replay/gemm_thin.h replay/gemm_thin.c \
	replay/interval.h replay/interval.c \
	replay/lineage.h replay/lineage.c replay/runs.h replay/runs.c \
	replay/matrix.h replay/matrix.c \
	replay/op.h replay/op.c \
	replay/op_attention.h replay/op_attention.c replay/op_attention_take.c replay/op_attention_combine.c replay/rope_element.h replay/op_rope.c replay/op_quantize.h replay/quantize_element.h replay/op_quantize.c replay/quantize_device.c replay/quantize_explain.c replay/op_topk_softmax.c replay/op_moe_align.c \
	replay/op_cat.c \
	replay/op_job.h replay/op_job.c \
	replay/op_gemm.c replay/matmul.h replay/matmul_outputs.c replay/matmul_quantized.c replay/matmul_take.c replay/matmul_blocks.c replay/op_matmul.c \
	replay/epilogue.h replay/epilogue_element.h replay/epilogue.c \
	replay/near.h replay/narrow.h replay/narrow.c \
	replay/op_conv.h replay/op_conv.c replay/conv_explain.c replay/op_pool.c \
	replay/op_norm.h replay/norm_element.h replay/op_norm.c replay/norm_device.c replay/norm_explain.c \
	replay/op_reduce.c replay/scan_order.h replay/scan_order.c replay/op_scan.c replay/softmax_element.h replay/op_softmax.c replay/op_sort.c \
	replay/order.h replay/order.c \
	replay/rows.h replay/rows.c replay/rows_team.h replay/rows_team.c replay/rows_job.h replay/rows_device.h replay/rows_device.c \
	replay/panel.h replay/panel.c \
	replay/read.h replay/read.c replay/redescribe.h replay/redescribe.c \
	replay/replay.h \
	replay/report.h replay/report.c \
	replay/sample.h replay/sample.c \
	replay/run.c \
	replay/signed_sum.h replay/signed_sum.c replay/signed_sum_typed.h replay/signed_sum_wide.h replay/signed_sum_wide.c \
	replay/tile_product.h replay/tile_product.c replay/sum_product.h replay/sum_product.c replay/sum_product_typed.h \
	replay/unjudged.h replay/unjudged.c \
	replay/written.h replay/written.c
