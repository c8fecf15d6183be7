# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""fuse-overlayfs as root."""
import fuse_cases  # noqa: F401, its cases register themselves
import fuse_setup
from caisson_test import main

main(setup=fuse_setup.setup)
