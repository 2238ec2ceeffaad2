//! config-svc: the service alone.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    host::main::<config_svc::Config>().await
}
