# Each part of the test tree lists its own files.
include tests/unit/trace.mk
include tests/unit/spec.mk
include tests/unit/preload.mk
include tests/unit/stack.mk
include tests/unit/compare.mk
include tests/unit/replay.mk
include tests/unit/tools.mk
include tests/capture/local.mk
include tests/fake/local.mk
include tests/cli/local.mk
include tests/gpu/local.mk
include tests/fake/cudnn.mk
include tests/real/local.mk
include tests/property/local.mk
