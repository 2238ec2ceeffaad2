use bytes::BufMut;
use prost::encoding::{encode_varint, encoded_len_varint};

use super::Workload;
use super::facts::{Device, Facts};
use super::words;
use crate::random::{Random, mix};

/// Keys of the contract: `field << 3 | wire type`.
mod key {
    pub(super) const BATCHES_BATCH: u8 = 1 << 3 | 2;
    pub(super) const CLIENT: u8 = 1 << 3 | 2;
    pub(super) const EPOCH: u8 = 2 << 3;
    pub(super) const FIRST_SEQ: u8 = 3 << 3;
    pub(super) const SENT_AT: u8 = 4 << 3;
    pub(super) const CONTEXT: u8 = 5 << 3 | 2;
    pub(super) const HITS: u8 = 8 << 3 | 2;
    pub(super) const USER_AGENT: u8 = 3 << 3 | 2;
    pub(super) const LANGUAGE: u8 = 4 << 3 | 2;
    pub(super) const COUNTRY: u8 = 5 << 3 | 2;
    pub(super) const NAME: u8 = 1 << 3 | 2;
    pub(super) const TIME: u8 = 2 << 3;
    pub(super) const URL: u8 = 3 << 3 | 2;
    pub(super) const REFERRER: u8 = 4 << 3 | 2;
    pub(super) const VALUE: u8 = 7 << 3 | 2;
    pub(super) const PARAM: u8 = 9 << 3 | 2;
    pub(super) const CURRENCY: u8 = 1 << 3 | 2;
    pub(super) const MICROS: u8 = 2 << 3;
    pub(super) const PARAM_NAME: u8 = 1 << 3 | 2;
    pub(super) const PARAM_TEXT: u8 = 2 << 3 | 2;
}

const FILLER: &str = "filler";
const CURRENCY: &str = "EUR";
/// Letters to take fillers from: far more than a compressor looks back, so that none finds a filler again.
const POOL: usize = 16 << 20;
/// A parameter with less text than this is left out.
const LEAST_FILLER: usize = 4;

/// Writes batches, with all texts ready. By hand: the generated code would build objects, which costs as much as all that
/// is measured.
#[derive(Clone, Debug)]
pub(super) struct Encoder {
    origins: Vec<String>,
    paths: Vec<String>,
    campaigns: Vec<String>,
    referrers: Vec<String>,
    user_agents: Vec<String>,
    clients: Vec<[u8; 32]>,
    pool: Vec<u8>,
    epoch: u64,
    hit_bytes: usize,
}

/// What a batch says once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// Who.
    pub(super) client: u32,
    /// With what.
    pub(super) device: Device,
    /// Seq of the first hit.
    pub(super) first_seq: u64,
    /// When it is sent.
    pub(super) sent_at_ms: i64,
}

/// A hit to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sized {
    /// When.
    pub(super) time_ms: i64,
    /// What.
    pub(super) facts: Facts,
    /// Length of its filler, found as it is written.
    pub(super) filler: usize,
}

impl Encoder {
    /// Makes all texts.
    pub(super) fn new(workload: &Workload) -> Self {
        let mut random = Random::new(mix(workload.seed));
        let mut pool = Vec::with_capacity(POOL);
        while pool.len() < POOL {
            pool.extend(random.next().to_le_bytes().map(|byte| b'a' + byte % 26));
        }
        Self {
            origins: (0..workload.merchants).map(|m| format!("https://m{m}.example")).collect(),
            paths: (0..words::PATHS).map(words::path).collect(),
            campaigns: (0..words::CAMPAIGNS).map(words::campaign).collect(),
            referrers: (0..words::REFERRERS).map(words::referrer).collect(),
            user_agents: (0..words::USER_AGENTS).map(words::user_agent).collect(),
            clients: (0..workload.clients).map(|client| client_id(workload.seed, client)).collect(),
            pool,
            epoch: workload.epoch,
            hit_bytes: workload.hit_bytes,
        }
    }

    /// Appends a `Batch` of `merchant` as an element of `Batches`. Fillers are as long as it takes for the hits to be of
    /// the size that was asked for, on average where there are texts that are longer.
    pub(super) fn batch(&self, merchant: u32, head: &Head, hits: &mut [Sized], out: &mut Vec<u8>) {
        let context = self.context_len(&head.device);
        let head_len = delimited(32)
            + varint(self.epoch)
            + varint(head.first_seq)
            + varint(head.sent_at_ms as u64)
            + delimited(context);
        let (mut batch_len, mut wanted) = (head_len, 0);
        for hit in hits.iter_mut() {
            wanted += self.hit_bytes;
            hit.filler = 0;
            hit.filler =
                filler_len(wanted.saturating_sub(batch_len + delimited(self.hit_len(merchant, hit))));
            batch_len += delimited(self.hit_len(merchant, hit));
        }
        len(key::BATCHES_BATCH, batch_len, out);
        text(key::CLIENT, &self.clients[head.client as usize], out);
        number(key::EPOCH, self.epoch, out);
        number(key::FIRST_SEQ, head.first_seq, out);
        number(key::SENT_AT, head.sent_at_ms as u64, out);
        len(key::CONTEXT, context, out);
        text(key::USER_AGENT, self.user_agents[head.device.user_agent as usize].as_bytes(), out);
        text(key::LANGUAGE, words::LANGUAGES[head.device.language as usize].as_bytes(), out);
        text(key::COUNTRY, words::COUNTRIES[head.device.country as usize].as_bytes(), out);
        for hit in hits {
            self.hit(merchant, hit, out);
        }
    }

    fn context_len(&self, device: &Device) -> usize {
        delimited(self.user_agents[device.user_agent as usize].len())
            + delimited(words::LANGUAGES[device.language as usize].len())
            + delimited(words::COUNTRIES[device.country as usize].len())
    }

    fn url(&self, merchant: u32, facts: &Facts) -> [&str; 3] {
        [
            &self.origins[merchant as usize],
            &self.paths[facts.path as usize],
            &self.campaigns[facts.campaign as usize],
        ]
    }

    fn hit_len(&self, merchant: u32, Sized { time_ms, facts, filler }: &Sized) -> usize {
        let value = if facts.micros == 0 { 0 } else { delimited(money_len(facts.micros)) };
        let param = if *filler == 0 { 0 } else { delimited(param_len(*filler)) };
        delimited(facts.name.text().len())
            + varint(*time_ms as u64)
            + delimited(self.url(merchant, facts).iter().map(|part| part.len()).sum())
            + delimited(self.referrers[facts.referrer as usize].len())
            + value
            + param
    }

    fn hit(&self, merchant: u32, hit: &Sized, out: &mut Vec<u8>) {
        let Sized { time_ms, facts, filler } = hit;
        len(key::HITS, self.hit_len(merchant, hit), out);
        text(key::NAME, facts.name.text().as_bytes(), out);
        number(key::TIME, *time_ms as u64, out);
        let url = self.url(merchant, facts);
        len(key::URL, url.iter().map(|part| part.len()).sum(), out);
        url.iter().for_each(|part| out.put_slice(part.as_bytes()));
        text(key::REFERRER, self.referrers[facts.referrer as usize].as_bytes(), out);
        if facts.micros != 0 {
            len(key::VALUE, money_len(facts.micros), out);
            text(key::CURRENCY, CURRENCY.as_bytes(), out);
            number(key::MICROS, facts.micros as u64, out);
        }
        if *filler > 0 {
            len(key::PARAM, param_len(*filler), out);
            text(key::PARAM_NAME, FILLER.as_bytes(), out);
            let from = (facts.filler % (POOL - filler) as u64) as usize;
            text(key::PARAM_TEXT, &self.pool[from..from + filler], out);
        }
    }
}

/// 32 hexadecimal digits.
fn client_id(seed: u64, client: u32) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut random = Random::new(mix(seed.wrapping_add(1) ^ u64::from(client)));
    let bits = u128::from(random.next()) << 64 | u128::from(random.next());
    std::array::from_fn(|i| DIGITS[(bits >> (4 * i)) as usize & 15])
}

fn money_len(micros: i64) -> usize {
    delimited(CURRENCY.len()) + varint(micros as u64)
}

fn param_len(filler: usize) -> usize {
    delimited(FILLER.len()) + delimited(filler)
}

/// The length of text that makes a parameter of at most `room` bytes; 0 if that is not worth it.
fn filler_len(room: usize) -> usize {
    let around = delimited(param_len(room)) - room;
    let text = room.saturating_sub(around).min(2_000);
    if text < LEAST_FILLER { 0 } else { text }
}

/// Length of a field with so many bytes in it.
fn delimited(len: usize) -> usize {
    varint(len as u64) + len
}

/// Length of a field with a number in it.
fn varint(value: u64) -> usize {
    1 + encoded_len_varint(value)
}

fn len(key: u8, len: usize, out: &mut Vec<u8>) {
    number(key, len as u64, out);
}

fn number(key: u8, value: u64, out: &mut Vec<u8>) {
    out.put_u8(key);
    encode_varint(value, out);
}

fn text(key: u8, bytes: &[u8], out: &mut Vec<u8>) {
    len(key, bytes.len(), out);
    out.put_slice(bytes);
}
