"""What must be set before anything is imported."""

from __future__ import annotations

import os
import sys

from hypothesis import HealthCheck, settings

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # its import asks the network for a newer version
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # datasets asks for its hub, also for local folders
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # else it writes a token to the home folder

# A busy or slow machine must not fail a test. Where Hypothesis has a profile for CI, this builds on it.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# They kill and fork processes and limit their memory as POSIX does.
collect_ignore = ["fuzz", "cli/test_kills.py", "cli/test_program.py"] if sys.platform == "win32" else []
