# SPDX-License-Identifier: Apache-2.0
"""tinylm over cuBLAS writes what it writes over CBLAS, also when recorded. On a stand-in for CUDA, so only code of ours is tested."""
import os

import lib

command = lib.tinylm_command(20)
text = lib.output(command).splitlines()[0]
command[0] = os.path.join(lib.top_builddir, "tests/real/tinylm_fake")
plain = lib.output(command)
lib.expect(plain.splitlines()[0] == text, "other text over cuBLAS")
clean = lib.Recording(command)
clean.expect_clean("clean run")
lib.expect(clean.stdout == plain, "other results when recorded")
names = {e["name"] for e in clean.events}
lib.expect({"cublasSgemm_v2", "cublasSgemmStridedBatched", "cublasSgemv_v2"} <= names, f"only {names} were recorded")
lib.finish()
