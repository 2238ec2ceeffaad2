//! query-svc: the service alone.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    host::main::<query_svc::Query>().await
}
