# tests/cli/local.mk
cli_tests = tests/cli/t0100-usage.sh tests/cli/t0110-completion.sh tests/cli/t0200-record.sh tests/cli/t0300-doctor.sh
dist_check_SCRIPTS += $(cli_tests)
EXTRA_DIST += tests/cli/lib.sh
TESTS += $(cli_tests)
