# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""The behaviour list as containers."""
import both_cases  # noqa: F401, its cases register themselves
from caisson_test import main

main(isolation="container")
