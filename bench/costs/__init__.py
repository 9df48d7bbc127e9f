"""What one design costs each part: processor time, bytes, messages and rows, on the embedded stack with real work.

`python -m bench.costs` writes bench/results/costs.json, which `bench.scale` and docs/scaling.md compute from.
"""
