//! Mergeable summaries under one law.
