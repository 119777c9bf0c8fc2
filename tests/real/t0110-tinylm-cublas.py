# SPDX-License-Identifier: Apache-2.0
"""tinylm over cuBLAS writes what it writes over CBLAS: here on a stand-in for CUDA, so only its own code is tested."""
import os

import lib

command = lib.tinylm_command(40)
text = lib.output(command).splitlines()[0]
command[0] = os.path.join(lib.top_builddir, "tests/real/tinylm_fake")
lib.expect(lib.output(command).splitlines()[0] == text, "other text over cuBLAS")
lib.finish()
