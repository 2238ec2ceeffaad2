//! Platform, service, settings, telemetry and drain: the only way a service runs.
