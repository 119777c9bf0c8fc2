# tests/unit/trace.mk
