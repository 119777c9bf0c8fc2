# tests/fake/local.mk
