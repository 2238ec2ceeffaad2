//! ingest-svc: the service alone.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    host::main::<ingest_svc::Ingest>().await
}
