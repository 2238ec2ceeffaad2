//! What of the tools around hitmill others can use: the reader of web servers' logs.

pub mod access_log;
