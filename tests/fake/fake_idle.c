/* SPDX-License-Identifier: Apache-2.0 */
/* Entry points of libcuda.so that a runtime asks for when it starts, and nobody here calls. Without cuda.h, as it says what their parameters are. */
#define IDLE(symbol)                                                          \
	__attribute__((visibility("default"))) int symbol(void);              \
	int symbol(void)                                                      \
	{                                                                     \
		return 801; /* CUDA_ERROR_NOT_SUPPORTED */                    \
	}
#define FORMS(name) IDLE(name) IDLE(name##_ptsz) IDLE(name##_v2) IDLE(name##_v2_ptsz)
FORMS(cuStreamWriteValue32)
FORMS(cuStreamWriteValue64)
FORMS(cuStreamBatchMemOp)
