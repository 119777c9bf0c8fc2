# SPDX-License-Identifier: Apache-2.0
"""faulty-blas computes what its README says, at the call that it is told to, and nothing else."""

import lib


def subject(fault):
    r = lib.run([lib.python, lib.source("faulty_subject.py")], FAULTY_BLAS=fault and f"{fault},from=2", LD_PRELOAD=lib.faulty_blas)
    lib.expect(r.returncode == 0 and not r.stdout + r.stderr,
               f"{fault or 'no fault'}: status {r.returncode}\n{r.stdout}{r.stderr}")


lib.need_numpy()
subject(None)
for fault in lib.faults:
    subject(fault)

# One call of many, and the log says which.
plain = lib.tinylm(12)
lib.expect(lib.tinylm(12, LD_PRELOAD=lib.faulty_blas) == plain, "tinylm differs under faulty-blas without a fault")
for fault in lib.faults:
    everywhere = lib.planted(fault, tokens=12)
    lib.expect(everywhere, f"{fault} never applies to tinylm")
    n = everywhere[-1][0]
    lib.expect(lib.planted(f"{fault},call={n}", tokens=12) == everywhere[-1:], f"{fault},call={n} is not that one call")
    lib.expect(lib.planted(f"{fault},from={n}", tokens=12) == everywhere[-1:], f"{fault},from={n} is not the calls from {n}")

# What makes no sense is refused.
for wrong in "no-such-fault", "k-tail,call=0", "k-tail,call=x", "k-tail,cal=1", "k-tail,call", "k-tail,log=/no/such/folder/x":
    r = lib.run(lib.tinylm_command(2), FAULTY_BLAS=wrong, LD_PRELOAD=lib.faulty_blas)
    lib.expect(r.returncode == 2 and "faulty-blas: FAULTY_BLAS:" in r.stderr, f"'{wrong}' is taken: {r.stderr}")
lib.finish()
