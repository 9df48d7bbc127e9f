"""`python -m services.mockup`."""

from __future__ import annotations

from cutline.runtime.lifecycle import run_service
from services.mockup.app import build

if __name__ == "__main__":
    run_service("mockup", build)
