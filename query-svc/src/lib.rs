//! Answers queries and streams live results.
