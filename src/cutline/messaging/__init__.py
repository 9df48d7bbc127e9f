"""JetStream: the topology as data, the publisher, the pull worker and the outcomes its handlers return."""
