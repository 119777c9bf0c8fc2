#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `ekka fsck`: 0 for a whole trace, notes for an incomplete one, 1 for a damaged one.
. "$top_srcdir/tests/cli/lib.sh"
make_trace=$top_builddir/tests/cli/make_trace
for kind in clean partial; do
	"$make_trace" $kind.ekka $kind || { echo "make_trace $kind failed"; exit 99; }
done

run fsck clean.ekka
expect_status 0
expect_no_err
expect_out '^4 events, 4 complete; '
expect_out '^0 damaged, 0 notes$'
run fsck --json clean.ekka
expect_status 0
json 'j["damage"] == 0 and j["events"] == 4 and j["findings"] == []'
run fsck partial.ekka
expect_status 0
expect_out "^note: .*budget"
run fsck --json partial.ekka
json 'j["damage"] == 0 and j["notes"] == len(j["findings"]) > 0'

# One wrong byte among the tensors.
size=$(stat -c %s clean.ekka/blobs-1234-0.ekka)
printf '\377\377' | dd of=clean.ekka/blobs-1234-0.ekka bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
run fsck clean.ekka
expect_status 1
expect_out '^damage: .*blobs-1234-0.ekka'
run fsck --json clean.ekka
expect_status 1
json 'j["damage"] > 0 and any(f["severity"] == "damage" for f in j["findings"])'
run fsck nowhere.ekka
expect_status 128
finish
