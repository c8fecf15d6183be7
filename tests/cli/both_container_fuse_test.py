# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""The behaviour list as containers on roots that fuse-overlayfs makes."""
import os

os.environ["CAISSON_TEST_MORE_NEEDS"] = ",fuse"
import both_cases  # noqa: E402, F401, its cases register themselves
import fuse_setup  # noqa: E402
from caisson_test import main  # noqa: E402

main(isolation="container", setup=fuse_setup.setup)
