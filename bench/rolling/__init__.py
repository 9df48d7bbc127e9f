"""Restarts every service in turn under load, as Kubernetes rolls a Deployment out, on the secured stack.

art       what is submitted: orders without pixels, or small artworks for the real pipeline
traffic   clients of the SDK that submit at a fixed rate and watch every design to its end
rollout   the restarts: the new process serves before the old one is told to stop
books     what the database and the watchers say in the end, and what of it breaks a promise
"""
