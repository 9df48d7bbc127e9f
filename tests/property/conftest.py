"""How many examples the property tests try: HYPOTHESIS_PROFILE is dev (the default), ci or long."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

settings.register_profile("dev", _ANY_SPEED, max_examples=25)
settings.register_profile("ci", _ANY_SPEED, max_examples=60, derandomize=True)
settings.register_profile("long", _ANY_SPEED, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
