//! How Pulsar is started: small, on loopback, and durable even when it is killed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::process::Launch;

/// The key that Pulsar shows to S3; moto takes any.
pub const ACCESS_KEY: &str = "hitmill";
/// The secret of `ACCESS_KEY`.
pub const SECRET_KEY: &str = "hitmill-secret";

/// What a test wants of its Pulsar.
#[derive(Clone, Debug)]
pub struct PulsarOptions {
    /// Where full ledgers can be moved to.
    pub offload: Offload,
    /// A ledger is full after so many entries (a batch of a client is one): few, to have old ledgers soon.
    pub entries_per_ledger: u32,
    /// Whether clients connect through a [`Link`](crate::Link), which can be cut.
    pub linked: bool,
    /// More lines of standalone.conf, name and value.
    pub more: Vec<(String, String)>,
}

impl Default for PulsarOptions {
    fn default() -> Self {
        Self { offload: Offload::None, entries_per_ledger: 50_000, linked: false, more: Vec::new() }
    }
}

/// Tiered storage.
#[derive(Clone, Debug)]
pub enum Offload {
    /// None.
    None,
    /// The folder `offload` in Pulsar's data.
    Filesystem,
    /// A bucket that is there, by S3's protocol.
    S3 {
        /// "http://127.0.0.1:..."
        endpoint: String,
        /// The bucket's name.
        bucket: String,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) broker: u16,
    pub(crate) admin: u16,
    pub(crate) bookie: u16,
    /// The broker's port as clients are told: its own, or that of a link.
    pub(crate) advertised: u16,
}

/// Writes the settings into `folder`, which holds the data too.
pub(super) fn launch(home: &Path, folder: &Path, ports: &Ports, options: &PulsarOptions) -> Result<Launch> {
    options.check()?;
    for name in ["logs", "nar", "offload"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let conf = folder.join("standalone.conf");
    fs::write(&conf, standalone_conf(home, folder, ports, options))?;
    let mut env = Vec::new();
    if matches!(options.offload, Offload::S3 { .. }) {
        env = vec![("ACCESS_KEY_ID", ACCESS_KEY.to_owned()), ("ACCESS_KEY_SECRET", SECRET_KEY.to_owned())];
    }
    Ok(Launch {
        program: "java".into(),
        args: java_args(&conf.to_string_lossy(), &folder.to_string_lossy(), ports),
        env,
        // Offload policies of a namespace are looked up in ./offloaders, and the class path below is relative.
        folder: home.to_owned(),
        log: folder.join("log"),
    })
}

const STANDALONE: &str = "\
clusterName=standalone
bindAddress=127.0.0.1
advertisedAddress=127.0.0.1

# One bookie.
managedLedgerDefaultEnsembleSize=1
managedLedgerDefaultWriteQuorum=1
managedLedgerDefaultAckQuorum=1
# Without an interface by name, and leave to use loopback, the bookie listens on all and not on the port it was told.
listeningInterface=lo
allowLoopback=true
allowEphemeralPorts=true

# Acknowledgements of consumers are written at once, and of single messages in a batch: else kill -9 loses them.
managedLedgerDefaultMarkDeleteRateLimit=0
acknowledgmentAtBatchIndexLevelEnabled=true
# Kill -9 is not power loss: the page cache survives it, and a test of a thousand appends need not wait for a thousand disks.
journalSyncData=false
brokerDeleteInactiveTopicsEnabled=false

# Small: a test machine has two cores and runs two or three of these.
managedLedgerCacheSizeMB=32
numHttpServerThreads=8
webSocketServiceEnabled=false
ledgerStorageClass=org.apache.bookkeeper.bookie.storage.ldb.DbLedgerStorage
dbStorage_writeCacheMaxSizeMb=32
dbStorage_readAheadCacheMaxSizeMb=16
dbStorage_rocksDB_blockCacheSize=16777216
# One broker has nobody to share its load with.
loadManagerClassName=org.apache.pulsar.broker.loadbalance.NoopLoadManager
loadBalancerEnabled=false
# A developer's disk is often nearly full; at the default of 95 % the bookie turns read-only.
diskUsageThreshold=0.99
diskUsageWarnThreshold=0.99
# The bookie takes frames of a full 5 MiB message and its head.
nettyMaxFrameSizeBytes=5253120

# A ledger may be full at any age, and what was offloaded is deleted from the bookie at the next trim.
managedLedgerMinLedgerRolloverTimeMinutes=0
managedLedgerOffloadDeletionLagMs=0
managedLedgerOffloadMaxThreads=1
";

fn standalone_conf(home: &Path, folder: &Path, ports: &Ports, options: &PulsarOptions) -> String {
    let mut conf = STANDALONE.to_owned();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string does not fail.
        let _ = writeln!(conf, "{name}={value}");
    };
    line("brokerServicePort", &ports.broker);
    line("webServicePort", &ports.admin);
    if ports.advertised != ports.broker {
        line("advertisedListeners", &format_args!("linked:pulsar://127.0.0.1:{}", ports.advertised));
        line("internalListenerName", &"linked");
    }
    line("narExtractionDirectory", &folder.join("nar").display());
    line("managedLedgerMaxEntriesPerLedger", &options.entries_per_ledger);
    match &options.offload {
        Offload::None => {}
        Offload::Filesystem => {
            line("managedLedgerOffloadDriver", &"filesystem");
            line("fileSystemProfilePath", &home.join("conf/filesystem_offload_core_site.xml").display());
            line("fileSystemURI", &format_args!("file://{}", folder.join("offload").display()));
        }
        Offload::S3 { endpoint, bucket } => {
            // Not "aws-s3": that one looks for the real service first, for a minute.
            line("managedLedgerOffloadDriver", &"S3");
            line("managedLedgerOffloadBucket", bucket);
            line("managedLedgerOffloadServiceEndpoint", endpoint);
        }
    }
    for (name, value) in &options.more {
        line(name, value);
    }
    conf
}

/// Internals of Java that Netty, RocksDB and BookKeeper reach into.
const OPENED: [&str; 7] = [
    "java.base/java.io",
    "java.base/java.util.zip",
    "java.base/java.nio",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.platform",
    "java.management/sun.management",
    "jdk.management/com.sun.management.internal",
];

fn java_args(conf: &str, folder: &str, ports: &Ports) -> Vec<String> {
    let opened = OPENED.iter().flat_map(|package| ["--add-opens".into(), format!("{package}=ALL-UNNAMED")]);
    let mut args: Vec<String> = opened.collect();
    args.extend(
        [
            // Enough for half a million messages, and three servers fit beside a compiler.
            "-Xms128m",
            "-Xmx256m",
            "-XX:MaxDirectMemorySize=256m",
            // Up in half the time: the second compiler pays off only after minutes.
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            // IPv6's loopback is another address than the one that is advertised.
            "-Djava.net.preferIPv4Stack=true",
            "-Dio.netty.tryReflectionSetAccessible=true",
            "-Dlog4j.configurationFile=log4j2.yaml",
            "-Dlog4j.shutdownHookEnabled=false",
            "-Dpulsar.log.appender=Console",
            &format!("-Dpulsar.log.dir={folder}/logs"),
            &format!("-Dpulsar.config.file={conf}"),
            "-cp",
            "conf:lib/*",
            "org.apache.pulsar.PulsarStandaloneStarter",
            "--config",
            conf,
            "--metadata-dir",
            &format!("{folder}/metadata"),
            "--bookkeeper-dir",
            &format!("{folder}/bookkeeper"),
            "--bookkeeper-port",
            &ports.bookie.to_string(),
            "--no-functions-worker",
            "--no-stream-storage",
        ]
        .map(str::to_owned),
    );
    args
}
