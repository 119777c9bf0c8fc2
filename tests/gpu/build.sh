#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what the GPU suite runs into a folder that can be carried to a machine with a GPU: subjects linked to CUDA's own
# libraries, the faulty cuBLAS, the scripts. Usage: build.sh OUT [CUDA_HOME]; CC is honoured.
set -eu

out=$1
cuda=${2:-/usr/local/cuda}
src=$(cd "$(dirname "$0")/../.." && pwd)
lib=$cuda/lib64
[ -d "$lib" ] || lib=$cuda/lib
cc="${CC:-cc} -std=gnu17 -O2 -Wall -Wextra -D_GNU_SOURCE -I$src -isystem $cuda/include"
# cuBLAS's own needs are found where it runs.
cublas="-L$lib -Wl,--allow-shlib-undefined -Wl,--no-as-needed -lcublas -lcudart -lm"

mkdir -p "$out"
# An empty config.h: the sources ask it for _GNU_SOURCE only.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
: >"$tmp/config.h"
cc="$cc -I$tmp"

gpu=$src/tests/gpu
cases="$gpu/cases.c $gpu/product.c $gpu/cases_main.c"
$cc -o "$out/cases-linked" $cases $cublas -lpthread
$cc -DVIA_DLSYM -o "$out/cases-dlsym" $cases -L"$lib" -lcudart -ldl -lm -lpthread
$cc -DAS_PLUGIN -shared -fPIC -fvisibility=hidden -o "$out/cases-plugin.so" $cases $cublas
$cc -o "$out/cases-local" "$gpu/cases_local.c" -ldl
$cc -o "$out/hard" "$gpu/hard.c" "$gpu/product.c" $cublas -ldl -lpthread
$cc -DVIA_DLSYM -o "$out/hard-dlsym" "$gpu/hard.c" "$gpu/product.c" -L"$lib" -lcudart -ldl -lm -lpthread
$cc -shared -fPIC -fvisibility=hidden -o "$out/libfaulty-cublas.so" "$gpu/faulty_cublas.c" "$gpu/faulty_cublaslt.c" -ldl -lpthread
$cc -shared -fPIC -fvisibility=hidden -o "$out/libfaulty-launch.so" "$gpu/faulty_launch.c" -Wl,--version-script="$gpu/faulty_launch.map" -ldl
$cc -o "$out/lt-cases" "$gpu/lt_cases.c" "$gpu/lt_check.c" "$gpu/lt_transform.c" -L"$lib" -Wl,--allow-shlib-undefined -Wl,--no-as-needed -lcublasLt -lcudart -lm
# cuDNN, where its headers and library are.
if [ -r "$cuda/include/cudnn_graph.h" ] && ls "$lib"/libcudnn.so* >/dev/null 2>&1; then
	cudnn="-L$lib -Wl,--allow-shlib-undefined -Wl,--no-as-needed -l:libcudnn.so.9 -lcudart -lm"
	cases="$gpu/cudnn_cases.c $gpu/cudnn_buffers.c $gpu/cudnn_attention.c $gpu/cudnn_convolution.c $gpu/cudnn_rows.c $gpu/cudnn_graph.c"
	$cc -o "$out/cudnn-linked" $cases $cudnn
	$cc -DVIA_DLSYM -o "$out/cudnn-dlsym" $cases -L"$lib" -lcudart -ldl -lm
	$cc -DAS_PLUGIN -shared -fPIC -fvisibility=hidden -o "$out/cudnn-plugin.so" $cases $cudnn
	$cc -o "$out/cudnn-legacy" "$gpu/cudnn_legacy.c" $cudnn
	$cc -shared -fPIC -fvisibility=hidden -o "$out/libfaulty-cudnn.so" "$gpu/faulty_cudnn.c" -ldl -lpthread
fi
# vLLM's kernels; PTX for devices that are not known yet.
if [ -x "$cuda/bin/nvcc" ]; then
	"$cuda/bin/nvcc" -std=c++17 -O1 -I"$src" -gencode arch=compute_80,code=compute_80 -gencode arch=compute_90,code=sm_90 --cudart shared \
		-o "$out/vllm-cases" "$gpu/vllm_cases.cu"
	cp "$src/tests/fake/check_vllm.py" "$out"
fi
tinylm=$src/examples/tinylm
$cc -DTINYLM_WEIGHTS='"tinylm.bin"' -o "$out/tinylm" "$tinylm/main.c" "$tinylm/model.c" "$tinylm/matmul_cublas.c" $cublas
cp "$tinylm/tinylm.bin" "$gpu/suite.py" "$gpu/llama.py" "$gpu/lt.py" "$gpu/cudnn_torch.py" "$gpu/cudnn_steps.py" "$gpu/hard.py" "$gpu/aten.py" "$gpu/other_engines.py" "$gpu/profiled.py" "$gpu/run.sh" "$out"
