use crate::error::Error;

/// The credit of one stream: how many hits its client may still send.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    granted: u64,
    used: u64,
    settled: u64,
}

impl Window {
    /// A window of this many hits, none of them granted yet.
    pub(crate) fn new(size: u64) -> Self {
        Self { size, granted: 0, used: 0, settled: 0 }
    }

    /// The client sent this many hits.
    pub(crate) fn receive(&mut self, hits: u64) -> Result<(), Error> {
        let credit = self.granted - self.used;
        if hits > credit {
            return Err(Error::BeyondCredit { credit, sent: hits });
        }
        self.used += hits;
        Ok(())
    }

    /// This many of the hits received are durable or refused.
    pub(crate) fn settle(&mut self, hits: u64) {
        self.settled += hits;
    }

    /// Whether it is worth granting more: a quarter of the window is free. Less would be many small frames.
    pub(crate) fn due(&self) -> bool {
        self.free() >= self.size.div_ceil(4)
    }

    /// Grants what is free, if that is due: hits that are granted or under way are never more than the window.
    pub(crate) fn grant(&mut self) -> u64 {
        let more = if self.due() { self.free() } else { 0 };
        self.granted += more;
        more
    }

    fn free(&self) -> u64 {
        self.size - (self.granted - self.settled)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_under_way_is_never_more_than_the_window(
            size in 1u64..20_000, steps in prop::collection::vec((0u64..5_000, 0u64..5_000, any::<bool>()), 1..100)
        ) {
            let mut window = Window::new(size);
            let (mut credit, mut under_way) = (0, 0);
            for (send, settle, may_grant) in steps {
                let allowed = window.receive(send).is_ok();
                prop_assert_eq!(allowed, send <= credit);
                if allowed {
                    credit -= send;
                    under_way += send;
                }
                let settle = settle.min(under_way);
                window.settle(settle);
                under_way -= settle;
                if may_grant {
                    let more = window.grant();
                    prop_assert!(more == 0 || more >= size.div_ceil(4));
                    credit += more;
                }
                prop_assert!(credit + under_way <= size);
            }
            // Nothing leaks: when all is settled and granted, less than a quarter is missing.
            window.settle(under_way);
            credit += window.grant();
            prop_assert!(credit > size - size.div_ceil(4));
        }
    }

    #[test]
    fn too_much_is_named() {
        let mut window = Window::new(1_000);
        assert_eq!(window.grant(), 1_000);
        window.receive(700).unwrap();
        let refused = window.receive(400).unwrap_err().to_string();
        assert_eq!(refused, "400 hits were sent with a credit of 300: wait for credit before sending more");
    }
}
