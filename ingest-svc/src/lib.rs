//! Admits hits: key, quota, shape, route, durable append, acknowledgement.
