# Descriptions that are built in, a line each; the order is that in which they are tried.
EKKA_KERNELS = \
	spec/kernels/aten-attention.kd \
	spec/kernels/aten-cat.kd \
	spec/kernels/aten-conv.kd \
	spec/kernels/aten-elementwise.kd \
	spec/kernels/aten-embedding.kd \
	spec/kernels/aten-fill.kd \
	spec/kernels/aten-foreach.kd \
	spec/kernels/aten-functors-binary.kd \
	spec/kernels/aten-functors-more.kd \
	spec/kernels/aten-functors-unary.kd \
	spec/kernels/aten-index.kd \
	spec/kernels/aten-loss.kd \
	spec/kernels/aten-norm.kd \
	spec/kernels/aten-pool.kd \
	spec/kernels/aten-random.kd \
	spec/kernels/aten-reduce.kd \
	spec/kernels/aten-scatter.kd \
	spec/kernels/aten-sort.kd \
	spec/kernels/aten-topk.kd \
	spec/kernels/aten-upsample.kd \
	spec/kernels/cub-scan.kd \
	spec/kernels/cub-sort.kd \
	spec/kernels/vllm-norm.kd \
	spec/kernels/vllm-rope.kd \
	spec/kernels/vllm-activation.kd \
	spec/kernels/vllm-cache.kd \
	spec/kernels/vllm-attention.kd \
	spec/kernels/vllm-quantize.kd \
	spec/kernels/vllm-moe.kd
