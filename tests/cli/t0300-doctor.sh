#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ekka doctor`: looks at everything, never fails.
. "$top_srcdir/tests/cli/lib.sh"

run doctor
expect_status 0
expect_no_err
for check in system shim 'native stacks' python process_vm_readv ptrace 'CPU BLAS' 'CUDA driver' cuBLAS disk; do
	expect_out "^(ok|warn|no) +$check +[^ ]"
done
run doctor --json
expect_status 0
json 'len(j["checks"]) >= 9 and all(c["state"] in ("ok", "warn", "no") and c["detail"] for c in j["checks"])'
run doctor operand
expect_status 129
PATH=/nonexistent run doctor
ran="ekka doctor without PATH"
[ "$status" -eq 127 ] || expect_out '^ok +python +no python3 in PATH'
finish
