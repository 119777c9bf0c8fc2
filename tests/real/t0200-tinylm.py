# SPDX-License-Identifier: Apache-2.0
"""tinylm, unmodified: clean, and with every fault at one call in the middle and from one call on."""
import lib

TOKENS = 5
command = lib.tinylm_command(TOKENS)

clean = lib.Recording(command)
clean.expect_clean("clean run")
lib.expect(clean.stdout == lib.tinylm(TOKENS), "tinylm writes something else, or with other logits, when recorded")

for fault in lib.faults:
    calls = lib.planted(fault, tokens=TOKENS)
    # Of the prompt's projections where there are some: the effect of a lost tail may be nil in attention,
    # where the future's weights are 0.
    gemms = [n for n, name in calls if name == "cblas_sgemm"]
    n = gemms[-1] if gemms else calls[len(calls) // 2][0]
    one = lib.Recording(command, f"{fault},call={n}")
    one.expect_found(f"{fault} at call {n}")
    lib.expect(one.failed() == one.planted(), f"{fault} at call {n}: {one.failed()} accused")
    lib.expect("matmul_cblas.c" in one.first_stack() and "model.c" in one.first_stack(),
               f"{fault} at call {n}: no source lines of tinylm in {one.first_stack()}")
    lib.expect(one.stdout == lib.output(command, FAULTY_BLAS=f"{fault},call={n}", LD_PRELOAD=lib.faulty_blas),
               f"{fault} at call {n}: recording changed the result")
    lib.Recording(command, f"{fault},from={n}").expect_found(f"{fault} from call {n} on")
lib.finish()
