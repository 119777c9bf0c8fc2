# tests/unit/tools.mk
