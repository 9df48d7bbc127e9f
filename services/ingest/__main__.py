"""`python -m services.ingest`."""

from __future__ import annotations

from cutline.runtime.lifecycle import run_service
from services.ingest.app import build

if __name__ == "__main__":
    run_service("ingest", build)
