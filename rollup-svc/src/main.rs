//! rollup-svc: the service alone.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    host::main::<rollup_svc::Rollup>().await
}
