"""`python -m services.ingest`."""

from __future__ import annotations

from services.ingest.app import build

from cutline.runtime.lifecycle import run_service

if __name__ == "__main__":
    run_service("ingest", build)
