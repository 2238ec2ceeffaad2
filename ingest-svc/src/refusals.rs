use model::Refusal;
use proto::v1::Refused;

/// Refused hits that one answer lists; more are only counted.
const MAX_LISTED: usize = 1_000;
/// Bytes of the texts of what one answer lists.
const MAX_BYTES: usize = 64 << 10;
/// Bytes that one entry takes besides its texts.
const ENTRY_BYTES: usize = size_of::<Refused>();

/// What a client will be told of its refused hits: a list of bounded size, and the number of the rest by reason. Nobody
/// can make the server hold more by sending rubbish and not reading the answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusals {
    listed: Vec<Refused>,
    bytes: usize,
    rest: [u64; Refusal::ALL.len()],
}

impl Refusals {
    /// Adds one.
    pub(crate) fn add(&mut self, refused: Refused) {
        let bytes = refused.client_id.len() + refused.message.len();
        if self.listed.len() < MAX_LISTED && self.bytes + bytes <= MAX_BYTES {
            self.bytes += bytes;
            self.listed.push(refused);
        } else if let Some(rest) = usize::try_from(refused.reason - 1).ok().and_then(|i| self.rest.get_mut(i))
        {
            *rest += refused.hits;
        }
    }

    /// Adds those that came later.
    pub(crate) fn absorb(&mut self, later: Self) {
        for refused in later.listed {
            self.add(refused);
        }
        for (rest, more) in self.rest.iter_mut().zip(later.rest) {
            *rest += more;
        }
    }

    /// What the client is told: the list, then one entry for each reason of those that are not in it.
    pub(crate) fn into_list(mut self) -> Vec<Refused> {
        for (reason, hits) in Refusal::ALL.into_iter().zip(self.rest).filter(|(_, hits)| *hits > 0) {
            self.listed.push(Refused {
                reason: reason.number().into(),
                message: format!("{hits} more: too many to list"),
                hits,
                ..Refused::default()
            });
        }
        self.listed
    }

    /// Bytes of memory that they take.
    pub(crate) fn weight(&self) -> usize {
        self.bytes + self.listed.len() * ENTRY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::RefusalReason;

    use super::*;

    fn refused(reason: Refusal, seq: u64, message: &str) -> Refused {
        let reason = reason.number().into();
        Refused { reason, seq, message: message.to_owned(), hits: 1, ..Refused::default() }
    }

    #[test]
    fn reasons_have_the_numbers_of_the_contract() {
        for reason in Refusal::ALL {
            let on_wire = RefusalReason::try_from(i32::from(reason.number())).unwrap();
            let name = on_wire.as_str_name().strip_prefix("REFUSAL_REASON_").unwrap();
            assert_eq!(name.to_lowercase(), reason.name());
            assert_eq!(Refusal::ALL[usize::from(reason.number()) - 1], reason);
        }
    }

    #[test]
    fn every_refused_hit_is_listed_or_counted_and_memory_is_bounded() {
        let mut all = Refusals::default();
        for seq in 0..700 {
            all.add(refused(Refusal::BadName, seq, "short"));
        }
        let mut later = Refusals::default();
        for seq in 700..5_000 {
            later.add(refused(Refusal::TooOld, seq, &"x".repeat(100)));
        }
        all.absorb(later);
        assert!(all.weight() <= MAX_BYTES + MAX_LISTED * ENTRY_BYTES, "{}", all.weight());
        let list = all.into_list();
        let (seqs, last) = (list.iter().map(|r| r.seq).take(1_000), list.last().unwrap());
        assert!(seqs.eq(0..1_000));
        assert_eq!((list.len(), last.hits, last.seq), (1_001, 4_000, 0));
        assert_eq!(list.iter().map(|r| r.hits).sum::<u64>(), 5_000);
    }

    #[test]
    fn long_texts_fill_the_list_sooner() {
        let mut all = Refusals::default();
        for seq in 0..100 {
            all.add(refused(Refusal::BadText, seq, &"x".repeat(1 << 10)));
        }
        assert_eq!(all.clone().into_list().len(), 65);
        assert_eq!(all.into_list().iter().map(|r| r.hits).sum::<u64>(), 100);
    }
}
