"""The gRPC server of a service: who calls, what failed, how it drains."""
