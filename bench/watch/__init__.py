"""What watching costs at scale: latency, fan-out, reads, memory, churn and slow readers, on the real servers.

`python -m bench.watch` measures and judges; the programs it starts are modules of this package, each asked over its
standard input: `watchers` (callers with plain gRPC stubs), `changer` (commits and rings as a worker does) and
`bare_doorbell` (the yardstick: a doorbell and a stream with nothing between).
"""
