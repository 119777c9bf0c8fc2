# tests/unit/spec.mk
