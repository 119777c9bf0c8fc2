# Device snapshots and cuBLAS contexts: goes into the shim where CUDA's headers and nvcc are installed.
EXTRA_DIST += preload/gather.cu preload/cuda_driver.def
CUDA_CAPTURE_LIBS =
if HAVE_CUDA
noinst_LTLIBRARIES += libcudacapture.la
CUDA_CAPTURE_LIBS += libcudacapture.la
libcudacapture_la_SOURCES = preload/cuda.h preload/cuda_driver.h preload/cuda_driver.c preload/cuda_staging.h preload/cuda_staging.c preload/cuda_ring.h preload/cuda_ring.c \
	preload/cuda_context.h preload/cuda_context.c preload/cuda_copy.h preload/cuda_copy.c preload/cuda_fetch.h preload/cuda_fetch.c preload/cuda_snapshot.c preload/cuda_timing.h preload/cuda_timing.c \
	preload/cuda_gather.h preload/cuda_gather.c preload/cuda_cublas.h preload/cuda_cublas.c preload/cuda_device.c
libcudacapture_la_SOURCES += preload/getters.h preload/getters.c
nodist_libcudacapture_la_SOURCES = preload/gather_image.h
libcudacapture_la_CPPFLAGS = $(AM_CPPFLAGS) $(CUDA_CPPFLAGS)
BUILT_SOURCES += preload/gather_image.h

# Machine code for the architectures CUDA 13 knows (minor versions run their major's), PTX for later ones.
GATHER_ARCHS = -gencode arch=compute_75,code=sm_75 -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 \
	-gencode arch=compute_100,code=sm_100 -gencode arch=compute_120,code=sm_120 -gencode arch=compute_75,code=compute_75
preload/gather.fatbin: preload/gather.cu
	$(AM_V_GEN)$(MKDIR_P) preload && $(NVCC) -fatbin -O3 $(GATHER_ARCHS) -o $@ $(srcdir)/preload/gather.cu
preload/gather_image.h: preload/gather.fatbin
	$(AM_V_GEN){ echo '/* generated from gather.cu */'; \
	echo 'static const unsigned char ekka_gather_image[] __attribute__((aligned(16))) = {'; \
	od -An -v -tu1 preload/gather.fatbin | $(SED) 's/  */ /g; s/ \([0-9]\)/\1/; s/ /, /g; s/$$/,/'; \
	echo '};'; } > $@.tmp && mv $@.tmp $@
CLEANFILES += preload/gather.fatbin preload/gather_image.h
endif
