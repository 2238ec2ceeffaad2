//! Fire hits into hitmill and never wait.
