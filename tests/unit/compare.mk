# tests/unit/compare.mk
