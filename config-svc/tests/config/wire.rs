//! The service in a host, over real gRPC.

use config_svc::{Config, Settings};
use host::Host;
use proto::v1;
use proto::v1::config_service_client::ConfigServiceClient;
use tokio::sync::oneshot;
use tonic::Code;

use crate::support::{boot, named, platform, with_key};

#[tokio::test]
async fn a_caller_far_away_makes_a_merchant_and_watches() {
    let dir = tempfile::tempdir().unwrap();
    let platform = platform(&dir, 1).await;
    let admin = boot(&platform, None).await.unwrap();
    let host = Host::new(platform.clone(), host::Settings::default());
    let host = host.with::<Config>(Settings::default()).await.unwrap();
    let listener = host::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(host.serve(listener, async {
        let _ = stopped.await;
    }));

    let mut client = ConfigServiceClient::connect(address).await.unwrap();
    let watched = client.watch(with_key(v1::WatchRequest::default(), &admin)).await.unwrap();
    let mut watched = watched.into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().version, 1);

    let made = client.create_merchant(with_key(named("Shop"), &admin)).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().items.len(), 4);
    let get = v1::GetMerchantRequest { merchant_id: 1 };
    let got = client.get_merchant(with_key(get, &made.read_key)).await.unwrap().into_inner();
    assert_eq!(got.merchant, made.merchant);
    let refused = client.get_merchant(with_key(get, &made.write_key)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    stop.send(()).unwrap();
    let ended = watched.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    serving.await.unwrap().unwrap();
}
