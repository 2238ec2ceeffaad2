use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use metrics::{counter, gauge};
use parking_lot::Mutex;

/// Lets connections in as long as there is room.
pub(super) struct Gate {
    limit: usize,
    limit_per_address: usize,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Room for one connection, until it is dropped.
pub(super) struct Pass {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Gate {
    /// A gate for `limit` connections, `limit_per_address` of them from one address (0 is no limit).
    pub(super) fn new(limit: usize, limit_per_address: usize) -> Self {
        Self { limit, limit_per_address, inside: Mutex::default() }
    }

    /// Room for a connection from `address`, or `None` if there is none: it is closed at once, because left waiting it
    /// would look like a server that hangs.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Pass> {
        let mut inside = self.inside.lock();
        let of_address = inside.by_address.get(&address).copied().unwrap_or(0);
        let refusal = if inside.all >= self.limit {
            Some("process")
        } else if self.limit_per_address > 0 && of_address >= self.limit_per_address {
            Some("address")
        } else {
            None
        };
        if let Some(limit) = refusal {
            counter!("hitmill_connections_refused_total", "limit" => limit).increment(1);
            return None;
        }
        inside.all += 1;
        inside.by_address.insert(address, of_address + 1);
        gauge!("hitmill_connections").increment(1);
        Some(Pass { gate: Arc::clone(self), address })
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        self.inside.lock().all
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.gate.inside.lock();
        inside.all -= 1;
        // Addresses without connections are forgotten: the map is bounded by the limit.
        if let Some(count) = inside.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                inside.by_address.remove(&self.address);
            }
        }
        gauge!("hitmill_connections").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_and_room_comes_back() {
        let (a, b, c) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), [10, 0, 0, 3].into());
        let gate = Arc::new(Gate::new(3, 2));
        let first = gate.enter(a).unwrap();
        let _second = gate.enter(a).unwrap();
        assert!(gate.enter(a).is_none(), "two from one address");
        let _third = gate.enter(b).unwrap();
        assert!(gate.enter(c).is_none(), "three in all");
        drop(first);
        assert_eq!(gate.open(), 2);
        assert!(gate.enter(a).is_some());
    }

    #[test]
    fn an_address_that_left_is_forgotten() {
        let gate = Arc::new(Gate::new(3, 0));
        drop(gate.enter([10, 0, 0, 1].into()));
        assert!(gate.inside.lock().by_address.is_empty());
    }
}
