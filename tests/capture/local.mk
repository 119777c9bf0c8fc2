# tests/capture/local.mk
