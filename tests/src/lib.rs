//! The whole system from outside: see `tests/tests`.
