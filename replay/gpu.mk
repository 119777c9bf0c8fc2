# The GPU backend of `ekka replay`, where CUDA's headers and nvcc are installed; CUDA itself is looked for at run time.
EKKA_GPU_KERNELS = replay/gpu_kernels.cu replay/gpu_device.cuh replay/gpu_gemm.cuh replay/gpu_product.cuh replay/gpu_attention.cuh \
	replay/gpu_attention_event.cuh replay/gpu_rows.cuh replay/gpu_reduce.cuh replay/gpu_softmax.cuh replay/gpu_quantize.cuh replay/gpu_rope.cuh replay/gpu_expr.cuh replay/gpu_cat.cuh
EXTRA_DIST += $(EKKA_GPU_KERNELS)
libreplay_la_SOURCES += replay/gpu_open.c
if HAVE_CUDA
libreplay_la_CPPFLAGS += $(CUDA_CPPFLAGS)
libreplay_la_SOURCES += replay/gpu_library.h replay/gpu_library.c replay/gpu.h replay/gpu.c replay/gpu_shared.h replay/gpu_tensors.c \
	replay/gpu_gemm.c replay/gpu_product.c replay/gpu_attention.c replay/gpu_attention_event.c replay/attention_bound.h \
	replay/gpu_rows.c \
	replay/gpu_expr.h replay/gpu_expr.c
nodist_libreplay_la_SOURCES = replay/gpu_image.h
BUILT_SOURCES += replay/gpu_image.h

# Machine code for the data-centre architectures, which alone are fast in float64, PTX for the others.
GPU_ARCHS = -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 -gencode arch=compute_100,code=sm_100 \
	-gencode arch=compute_75,code=compute_75
replay/gpu_kernels.fatbin: $(EKKA_GPU_KERNELS) replay/gpu_shared.h compare/element.h compare/bound_element.h replay/attention_bound.h replay/epilogue_element.h compare/rounding.h compare/shared.h spec/dtypes.def \
		replay/rows_job.h replay/norm_element.h replay/fold_result.h replay/near.h replay/softmax_element.h replay/quantize_element.h replay/rope_element.h replay/exp.h \
		replay/gpu_expr.h replay/expr_element.h replay/expr_function.h replay/expr_whole.h
	$(AM_V_GEN)$(MKDIR_P) replay && $(NVCC) -fatbin -O3 -fmad=false -I$(srcdir) $(GPU_ARCHS) -o $@ $(srcdir)/replay/gpu_kernels.cu
replay/gpu_image.h: replay/gpu_kernels.fatbin
	$(AM_V_GEN){ echo '/* generated from gpu_kernels.cu */'; \
	echo 'static const unsigned char ekka_gpu_image[] __attribute__((aligned(16))) = {'; \
	od -An -v -tu1 replay/gpu_kernels.fatbin | $(SED) 's/  */ /g; s/ \([0-9]\)/\1/; s/ /, /g; s/$$/,/'; \
	echo '};'; } > $@.tmp && mv $@.tmp $@
CLEANFILES += replay/gpu_kernels.fatbin replay/gpu_image.h
endif
