# tests/unit/replay.mk
