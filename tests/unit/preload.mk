# tests/unit/preload.mk
