"""`python -m services.status` runs the service."""

from __future__ import annotations

from cutline.runtime.lifecycle import run_service
from services.status.app import build

if __name__ == "__main__":
    run_service("status", build)
