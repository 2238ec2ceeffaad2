//! Real servers for tests and development, stopped by their process id.
