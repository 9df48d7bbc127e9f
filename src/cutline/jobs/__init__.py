"""What travels on JetStream."""
