# SPDX-License-Identifier: Apache-2.0
# timeout: 900
# slow
"""What each option does, as VMs of an ordinary user."""
import os

os.environ["CAISSON_TEST_MORE_NEEDS"] = ",qemu,kernel,rootless"
import flags_cases  # noqa: E402, F401, its cases register themselves
from caisson_test import main  # noqa: E402

main(isolation="vm", user=True)
