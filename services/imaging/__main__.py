"""`python -m services.imaging`."""

from __future__ import annotations

from cutline.runtime.lifecycle import run_service
from services.imaging.app import build

if __name__ == "__main__":
    run_service("imaging", build)
