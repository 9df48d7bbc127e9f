"""Scale on paper: a simulation of arrival, lag, autoscaling and pods, and the tables of docs/scaling.md.

`python -m bench.scale` simulates, `python -m bench.scale.paper` writes the tables. Both compute from what
`bench.costs` measured and from the settings in deploy/k8s.
"""
