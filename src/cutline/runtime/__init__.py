"""What every service process stands on: settings, logging, start and stop."""
