"""What can be known of manifests without a cluster: they render, they have a schema, and they keep our own rules."""
