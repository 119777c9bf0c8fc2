#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows the main job on a small language model: a BLAS that is silently wrong is recorded at work and found out.
# usage: examples/demo.sh [BUILD-DIRECTORY]; exits non-zero when the culprit is not found.
set -euo pipefail
build=$(cd "${1:-build}" && pwd)
ekka=$build/tools/ekka
tinylm=$build/examples/tinylm/tinylm
faulty=$build/examples/faulty-blas/.libs/libfaulty-blas.so
python=$(command -v /usr/bin/python3 || command -v python3)
work=$(mktemp -d "${TMPDIR:-/tmp}/ekka-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT

for file in "$ekka" "$tinylm" "$faulty"; do
	[ -e "$file" ] || { echo "demo: no '$file': build first (./quickstart build)" >&2; exit 1; }
done
if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
title() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
quote() { fold -s -w 76 | sed 's/^/    /'; }
shown() { sed "s|$build/||g; s|$work/||g; s/^/    /"; }

prompt='You may not '
fault=k-tail,min-k=340
engine=("$tinylm" --prompt "$prompt" --tokens 138)

title '1. An engine: tinylm, a small language model in C that knows licences by heart'
"${engine[@]}" | quote

title '2. The same engine on a BLAS that drops the end of long sums (K = 340 becomes 336)'
env FAULTY_BLAS="$fault" LD_PRELOAD="$faulty" "${engine[@]}" | quote
echo
echo 'Nothing crashed and no message: it is just another licence now.'

title '3. Record the wrong run:  ekka record -o run.ekka -- tinylm ...'
# What the BLAS did wrong it writes to a log that ekka never sees: it serves to check the answer.
env FAULTY_BLAS="$fault,log=$work/planted" LD_PRELOAD="$faulty" "$ekka" record -o "$work/run.ekka" -- "${engine[@]}" \
	2>&1 >"$work/text" | shown
echo "    $(du -sh "$work/run.ekka" | cut -f1) of trace"

title '4. Check every call against a reference:  ekka replay run.ekka'
status=0
"$ekka" replay "$work/run.ekka" >"$work/report" 2>"$work/talk" || status=$?
if [ "$(wc -l <"$work/report")" -le 20 ]; then
	shown <"$work/report"
else
	{ head -n 13 "$work/report"; echo '...'; tail -n 3 "$work/report"; } | shown
fi
if [ "$status" -ne 1 ]; then
	cat "$work/talk" >&2
	echo "demo: ekka replay ended with status $status, expected 1 (a fault was found)" >&2
	exit 1
fi

title '5. Is that the culprit?'
"$ekka" replay --json "$work/run.ekka" >"$work/report.json" 2>/dev/null || true
"$ekka" log --json "$work/run.ekka" >"$work/log.json"
"$python" - "$work" <<'END'
import json, sys
work = sys.argv[1]
suspects = json.load(open(work + "/report.json"))["suspects"]
events = [json.loads(line) for line in open(work + "/log.json")]
planted = [line.split(None, 3) for line in open(work + "/planted")]
call, name, shape = planted[0][1], planted[0][2], planted[0][3].strip()
event = [e for e in events if e["depth"] == 0][int(call) - 1]["event"]
print(f"    the BLAS admits:  {len(planted)} of {len(events)} calls wrong, the first is event {event}: {name} {shape}")
if not suspects:
    sys.exit("demo: nothing was found")
first = suspects[0]
print(f"    ekka's first:     event {first['event']}: {first['name']}, {first['margin']:.4g} times the error bound")
if (first["event"], first["name"], first["verdict"]) != (event, name, "FAIL"):
    sys.exit("demo: the culprit was not found")
open(work + "/event", "w").write(str(event))
END

event=$(cat "$work/event")
title "6. That call alone, for the bug report:  ekka export $event run.ekka"
"$ekka" export -o "$work/bug" "$event" "$work/run.ekka" | shown
read -ra blas <<<"$(pkg-config --cflags --libs openblas)"
read -ra cc <<<"${CC:-cc}"
"${cc[@]}" -o "$work/bug/again" "$work/bug/event-$event.c" "${blas[@]}" -lm
verdict() { { env -C "$work/bug" "$@" ./again 2>&1 || true; } | tail -n 1; }
right=$(verdict FAULTY_BLAS='') wrong=$(verdict FAULTY_BLAS="$fault" LD_PRELOAD="$faulty")
printf '\n    run on the right BLAS:   %s\n    run on the faulty BLAS:  %s\n\n' "$right" "$wrong"
if [ "$right $wrong" != 'OK WRONG' ]; then
	echo "demo: the exported call does not reproduce the fault" >&2
	exit 1
fi
echo "${bold}Found and reproduced.$plain"
