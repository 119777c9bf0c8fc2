#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the GPU suite: run.sh BUNDLE OUT [suite.py's options]. BUNDLE is an unpacked bundle or an installed tree. Beside this script lies
# what build.sh made, or it is made now, which needs a C compiler and the CUDA Toolkit. Exit status 77 without a GPU.
set -eu

bundle=$1
out=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON3:-python3}

if ! nvidia-smi -L >/dev/null 2>&1; then
	echo "no NVIDIA GPU here" >&2
	exit 77
fi
suite=$here
if [ ! -x "$suite/cases-linked" ]; then
	suite=$(mktemp -d)
	trap 'rm -rf "$suite"' EXIT
	"$here/build.sh" "$suite" "${CUDA_HOME:-/usr/local/cuda}"
fi
"$python" "$here/suite.py" --bundle "$bundle" --suite "$suite" --out "$out" "$@"
