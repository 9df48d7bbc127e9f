"""Real nats-server, PostgreSQL and S3 server from their wheels, and the services, in one command.

`python -m cutline.embedded up` starts everything; tests use `EmbeddedServers` and `EmbeddedStack` directly.
Nothing here knows what the services do, and the services do not know that they run here: only addresses differ.
"""
