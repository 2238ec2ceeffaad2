//! The generated code is checked in, so that nobody needs protoc to build. This test generates it again and compares;
//! with `HITMILL_REGENERATE=1` it writes what it made (`./dev generate` does that).

#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;

const FILES: [&str; 4] =
    ["hitmill/v1/hit.proto", "hitmill/v1/ingest.proto", "hitmill/v1/query.proto", "hitmill/v1/config.proto"];

#[test]
fn generated_code_is_fresh() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(FILES, [&root]).unwrap();
    let out = tempfile::tempdir().unwrap();

    tonic_prost_build::configure()
        .bytes(".hitmill.v1.Batch.packed")
        .out_dir(out.path())
        .compile_fds(descriptors.clone())
        .unwrap();
    // The server of ingest takes its frames as they came, to walk and store them without decoding.
    let raw = out.path().join("raw");
    fs::create_dir(&raw).unwrap();
    tonic_prost_build::configure()
        .build_client(false)
        .extern_path(".hitmill.v1.ClientFrame", "crate::wire::RawClientFrame")
        .extern_path(".hitmill.v1.SendRequest", "crate::wire::RawSendRequest")
        .extern_path(".hitmill.v1", "crate::v1")
        .out_dir(&raw)
        .compile_fds(protox::compile([FILES[1]], [&root]).unwrap())
        .unwrap();

    let generated = root.join("src/gen");
    check(&generated.join("hitmill.v1.rs"), &fs::read(out.path().join("hitmill.v1.rs")).unwrap());
    check(&generated.join("raw_server.rs"), &fs::read(raw.join("hitmill.v1.rs")).unwrap());
    let mut bare = descriptors;
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    check(&generated.join("descriptors.bin"), &bare.encode_to_vec());
}

fn check(path: &Path, fresh: &[u8]) {
    if env::var_os("HITMILL_REGENERATE").is_some() {
        fs::write(path, fresh).unwrap();
    }
    let kept = fs::read(path).unwrap_or_default();
    assert!(kept == fresh, "{} is not what the .proto files give: run `./dev generate`", path.display());
}
