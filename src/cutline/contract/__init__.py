"""Between the wire and the domain: protobuf messages to plain values and back, and nothing else."""
