//! What each setting means, for whoever operates a server. A test holds that none is missing and none is left over.

/// What a setting means.
pub(crate) fn meaning(name: &str) -> &'static str {
    MEANINGS.iter().find(|(known, _)| *known == name).map_or("", |(_, meaning)| meaning)
}

const MEANINGS: &[(&str, &str)] = &[
    ("catalog.key", "admin key to watch config-svc with"),
    (
        "catalog.servers",
        "where config-svc is, for services apart: http://HOST:PORT, with commas between several; empty: the store is \
         looked at",
    ),
    ("config.admin_key", "what becomes the admin key at the first start; empty: a new one is made and shown"),
    (
        "config.follow_ms",
        "milliseconds between looks for changes that another process made: how late this one hears of a revoked key",
    ),
    ("host.data", "directory that holds everything kept"),
    (
        "host.drain_notice_ms",
        "milliseconds between saying NOT_SERVING and closing the port, for load balancers to notice",
    ),
    ("host.drain_seconds", "seconds that calls, and then workers, each have to end at a drain"),
    (
        "host.header_timeout_seconds",
        "seconds in which a connection must begin to speak, and an HTTP/1 request must have sent its headers",
    ),
    (
        "host.http2.connection_window_bytes",
        "bytes that may be on their way on one connection: the memory it exposes",
    ),
    ("host.http2.frame_bytes", "bytes of one HTTP/2 frame"),
    ("host.http2.header_list_bytes", "bytes of the headers of a request"),
    (
        "host.http2.keepalive_seconds",
        "seconds of silence after which a client is asked whether it is still there",
    ),
    ("host.http2.keepalive_timeout_seconds", "seconds that the client has to answer"),
    (
        "host.http2.local_resets",
        "streams of a connection that may be reset for the client's faults before it is closed",
    ),
    ("host.http2.max_streams", "streams open at a time on one connection"),
    (
        "host.http2.pending_resets",
        "streams that a client may reset before they were accepted, before its connection is closed",
    ),
    ("host.http2.stream_window_bytes", "bytes that may be on their way on one stream"),
    ("host.http_body_bytes", "bytes of the body of a plain HTTP request"),
    ("host.listen", "address and port to listen on"),
    ("host.log", "what is logged: a level, or directives as in RUST_LOG, which wins if it is set"),
    ("host.log_format", "how logs look: human or json"),
    ("host.max_connections", "connections open at a time; more are closed at once"),
    (
        "host.max_connections_per_address",
        "the same from one address; 0 is no limit, as is right behind a load balancer",
    ),
    (
        "ingest.ack_timeout_ms",
        "milliseconds that acks may wait for a client that does not read them, before its stream is ended",
    ),
    ("ingest.credit_hits", "hits of one stream that may be on their way to the log"),
    ("ingest.flush_delay_ms", "milliseconds that a hit should wait at most at its client"),
    ("ingest.flush_hits", "hits at which a client should send what waits"),
    (
        "ingest.gather_ms",
        "milliseconds that a small record waits for more hits; not set: 0 in one process, 5 over Pulsar",
    ),
    ("ingest.log_retry_ms", "milliseconds between attempts while the event log takes no writes"),
    (
        "ingest.max_queued_bytes",
        "bytes of admitted hits that may wait for the log; near it clients get no more credit",
    ),
    (
        "ingest.max_stream_age_seconds",
        "seconds after which a stream is asked to reconnect, to spread over new instances; 0 is never",
    ),
    ("ingest.max_streams", "streams of hits open at a time in this process"),
    ("ingest.max_streams_per_client", "streams open at a time of one client of a merchant"),
    ("ingest.reconnect_after_ms", "milliseconds after which a client that was asked to go should come back"),
    ("ingest.setup_timeout_ms", "milliseconds in which a new stream must say who it is"),
    ("log.max_queued_bytes", "bytes of records that may wait to be written; beyond that appends wait"),
    ("log.partitions", "partitions of the log; fixed when the data directory is made"),
    (
        "log.reserve_bytes",
        "bytes of the disk that are kept free: hits are not taken with less; not set: 512 MiB, at most a tenth of the disk",
    ),
    ("log.retain_age_ms", "milliseconds after which folded records may be deleted; not set: no limit"),
    (
        "log.retain_bytes",
        "bytes of files beyond which the oldest folded records may be deleted; not set: no limit",
    ),
    ("log.segment_bytes", "bytes of one file of the log"),
    ("log.tail_bytes", "bytes of the newest records that each partition keeps in memory for its readers"),
    ("pulsar.admin_url", "where the admin interface of Pulsar is: http://HOST:8080"),
    (
        "pulsar.max_queued_bytes",
        "bytes of records that may be on their way to Pulsar; beyond that appends wait",
    ),
    ("pulsar.namespace", "namespace of Pulsar that holds the topics; it is made if it is not there"),
    (
        "pulsar.offload_after_bytes",
        "bytes of a topic in BookKeeper beyond which it moves to tiered storage; 0: at once; not set: never by itself",
    ),
    ("pulsar.partitions", "partitions of a new topic, for ever: one that is there keeps its number"),
    ("pulsar.timeout_ms", "milliseconds that an append to Pulsar may take before it has failed"),
    ("pulsar.url", "where Pulsar is: pulsar://HOST:6650; empty: the log is in the data directory"),
    ("query.cache_bytes", "bytes of memory for cells that were read"),
    ("query.max_live_rows", "rows of one subscription; they are kept in memory while it lasts"),
    ("query.max_rows", "rows of one answer that is not streamed"),
    (
        "query.min_interval_ms",
        "least milliseconds between two messages to one subscriber, whatever it asks for",
    ),
    ("query.resumable_seconds", "seconds that a live answer is kept after its last subscriber went"),
    ("query.stalled_seconds", "seconds after which a subscriber that takes nothing is dropped"),
    ("query.subscriptions_per_merchant", "subscriptions that one merchant may have open at a time"),
    (
        "rollup.commit_bytes",
        "bytes of one commit, about; visitor state of a merchant that is larger is written in several",
    ),
    (
        "rollup.flush_interval_ms",
        "milliseconds from a hit's arrival to its commit, at least; more when commits take long",
    ),
    (
        "rollup.flush_share",
        "a commit may take one part in this many of a worker's time: the larger, the later and the cheaper",
    ),
    (
        "rollup.lease_beat_ms",
        "milliseconds between two beats of a process, by which the others know that it lives",
    ),
    (
        "rollup.lease_death_ms",
        "milliseconds without a beat after which the others take over what a process folds",
    ),
    (
        "rollup.memory_bytes",
        "bytes that all workers may hold of merchants, about; beyond it those that rest are put away",
    ),
    (
        "rollup.replay_bytes",
        "bytes of each partition that are read again after a crash, about; not set: 512 MiB in one process, 128 MiB beside \
         others",
    ),
    (
        "rollup.threads",
        "threads that fold; not set: as many as there are cores; 0: none of their own, the workers run among the calls",
    ),
    ("store.cache_bytes", "bytes of memory for blocks of the store that were read"),
    ("store.max_journal_bytes", "bytes of journal of the store on disk: what is read again after a crash"),
    (
        "store.reserve_bytes",
        "bytes of the disk that are kept free: nothing is committed with less; not set: 256 MiB, at most a twentieth of the \
         disk",
    ),
    ("tikv.collect_garbage", "whether to remove old versions of values in TiKV, where nobody else does so"),
    (
        "tikv.endpoints",
        "where the placement drivers of TiKV are: pd-1:2379,pd-2:2379; empty: the store is in the data directory",
    ),
    (
        "tikv.keep_versions_s",
        "seconds that old versions of values are kept: no answer may take longer to read",
    ),
    ("tikv.prefix", "what every key in TiKV begins with, so that several installations can share it"),
    ("tikv.timeout_ms", "milliseconds that a request to TiKV may take before it has failed"),
];

#[cfg(test)]
mod tests {
    use host::settings::Layers;

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn every_setting_has_a_meaning_and_nothing_else_has() {
        let rows = Layers::<Settings>::defaults().and_then(Layers::load).unwrap().rows;
        let settings: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let meanings: Vec<&str> = MEANINGS.iter().map(|(name, _)| *name).collect();
        assert_eq!(settings, meanings);
    }
}
