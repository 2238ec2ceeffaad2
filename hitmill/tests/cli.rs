//! The binary from outside: what it prints where, and how it exits.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const ADMIN_KEY: &str = "an-admin-key-of-the-test";

fn hitmill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hitmill"));
    // Settings of whoever runs the test are not those of the test.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HITMILL_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Exit code, standard output, standard error.
fn ended(output: &Output) -> (i32, String, String) {
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    // Not in the directory of the test: a hitmill.toml may lie there.
    let elsewhere = tempfile::tempdir().unwrap();
    ended(&hitmill(arguments).current_dir(elsewhere.path()).output().unwrap())
}

struct Server {
    child: Child,
    stderr: BufReader<ChildStderr>,
    url: String,
    /// What it said before it served.
    said: String,
}

impl Server {
    fn start(data: &Path, admin_key: Option<&str>) -> Self {
        let mut command = hitmill(&["up", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
        command.current_dir(data.parent().unwrap()).env("HITMILL_HOST__LOG_FORMAT", "json");
        if let Some(key) = admin_key {
            command.env("HITMILL_ADMIN_KEY", key);
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut server = Self { child, stderr, url: String::new(), said: String::new() };
        while server.url.is_empty() {
            let mut line = String::new();
            assert!(server.stderr.read_line(&mut line).unwrap() > 0, "it ended and said: {}", server.said);
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = entry["fields"]["address"].as_str() {
                server.url = format!("http://{address}");
            }
            server.said.push_str(&line);
        }
        server
    }

    fn run(&self, key: &str, arguments: &[&str]) -> (i32, String, String) {
        let mut command = hitmill(arguments);
        ended(&command.env("HITMILL_SERVER", &self.url).env("HITMILL_KEY", key).output().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, err) = self.run(ADMIN_KEY, &[arguments, &["--format", "json"]].concat());
        assert_eq!(code, 0, "{arguments:?}: {err}");
        serde_json::from_str(&out).unwrap()
    }

    /// Asks it to stop; gives its exit code and what it said meanwhile.
    fn stop(mut self) -> (i32, String) {
        let interrupt = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(interrupt.success());
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.stderr, &mut said).unwrap();
        (self.child.wait().unwrap().code().unwrap(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // For a test that failed; one that passed has stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn data() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    (dir, data)
}

#[test]
fn health_is_asked_for_without_a_key() {
    let (_dir, data) = data();
    let server = Server::start(&data, Some(ADMIN_KEY));
    assert_eq!(server.run("", &["health"]), (0, "ready\n".to_owned(), String::new()));
    let url = server.url.clone();
    server.stop();
    let (code, out, err) = run(&["health", "--server", &url]);
    assert_eq!((code, &*out), (1, ""));
    assert!(err.starts_with(&format!("error: {url} does not answer: ")), "{err}");
}

#[test]
fn some_of_the_services_need_a_log_and_a_store_that_others_share() {
    let (code, _, err) = run(&["serve", "--only", "ingest,query", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, 1);
    assert!(err.contains("set pulsar.url (HITMILL_PULSAR__URL) and tikv.endpoints (HITMILL_TIKV__ENDPOINTS), or run everything"), "{err}");
    let (code, _, err) = run(&["serve", "--only", "ingest,kitchen"]);
    assert_eq!(code, 2);
    assert!(err.contains("kitchen") && err.contains("ingest, rollup, query, config"), "{err}");
}

#[test]
fn merchants_streams_and_keys_are_made_shown_and_ended() {
    let (_dir, data) = data();
    let server = Server::start(&data, Some(ADMIN_KEY));
    assert!(!server.said.contains(ADMIN_KEY), "a key that was given is not repeated: {}", server.said);

    let (code, out, _) =
        server.run(ADMIN_KEY, &["merchant", "create", "My shop", "--currency", "EUR", "--format", "json"]);
    let made: Value = serde_json::from_str(&out).unwrap();
    let names: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((code, names), (0, vec!["merchant_id", "read_key", "write_key"]));
    assert_eq!(made["merchant_id"], 1);
    assert!(out.starts_with(r#"{"merchant_id":1,"write_key":"hm_w_"#), "{out}");

    server.json(&["merchant", "update", "1", "--hits-per-second", "50"]);
    server.json(&["merchant", "update", "1", "--streams", "4", "--name", "Our shop"]);
    let shown = server.json(&["merchant", "show", "1"]);
    assert_eq!(shown["name"], "Our shop");
    assert_eq!(shown["currency"], "EUR");
    assert_eq!((&shown["hits_per_second"], &shown["streams"]), (&Value::from(50), &Value::from(4)));

    let stream = server.json(&["stream", "create", "App", "--merchant", "1", "--platform", "ios"]);
    let (_, csv, _) = server.run(ADMIN_KEY, &["stream", "list", "--merchant", "1", "--format", "csv"]);
    assert_eq!(csv, format!("id,name,platform\n1,web,web\n{},App,ios\n", stream["data_stream_id"]));

    let read_key = made["read_key"].as_str().unwrap();
    assert_eq!(server.run(read_key, &["merchant", "show", "1"]).0, 0);
    let read_id = read_key.rsplit_once('_').unwrap().0;
    let rotated = server.json(&["key", "rotate", read_id]);
    assert_eq!(server.run(rotated["key"].as_str().unwrap(), &["merchant", "show", "1"]).0, 0);
    let (code, out, err) = server.run(read_key, &["merchant", "show", "1"]);
    assert_eq!((code, &*out), (1, ""));
    assert!(err.starts_with(&format!("error: {} does not accept the key: ", server.url)), "{err}");
    server.json(&["key", "revoke", rotated["key_id"].as_str().unwrap()]);
    assert_eq!(server.run(rotated["key"].as_str().unwrap(), &["merchant", "show", "1"]).0, 1);

    let changes = server.json(&["changes", "--merchant", "1", "--limit", "2"]);
    assert_eq!(changes.as_array().unwrap().len(), 2);
    let (code, _, err) = server.run(ADMIN_KEY, &["merchant", "show", "9"]);
    assert_eq!((code, &*err), (1, "error: there is no merchant 9\n"));

    let (code, said) = server.stop();
    assert_eq!(code, 0);
    assert!(said.contains("drained: every call and every task ended by itself"), "{said}");
}

#[test]
fn the_first_start_shows_an_admin_key_that_works_and_no_later_one_does() {
    let (_dir, data) = data();
    let first = Server::start(&data, None);
    let key = first.said.lines().map(str::trim).find(|line| line.starts_with("hm_a_")).unwrap().to_owned();
    assert!(first.said.contains("hitmill merchant create"), "{}", first.said);
    assert_eq!(first.run(&key, &["merchant", "create", "Kept"]).0, 0);

    let (code, out, err) = run(&["up", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    let in_use = format!(
        "error: {} is in use by another hitmill: stop it, or choose another data directory\n",
        data.display()
    );
    assert_eq!((code, &*out, err), (1, "", in_use));
    assert_eq!(first.stop().0, 0);

    let second = Server::start(&data, None);
    assert!(!second.said.contains("hm_a_"), "{}", second.said);
    let (_, out, _) = second.run(&key, &["merchant", "list", "--format", "csv"]);
    assert!(out.lines().nth(1).unwrap().starts_with("1,Kept,UTC,USD,"), "{out}");
    second.stop();
}

#[test]
fn what_was_asked_in_a_wrong_way_exits_with_2_and_a_failure_with_1() {
    // Nothing listens on a port that no system gives out.
    let nobody = "http://127.0.0.1:1";
    let (code, out, err) = run(&["changes", "--key", "k", "--server", nobody]);
    assert_eq!((code, &*out), (1, ""));
    assert!(err.starts_with("error: no hitmill answers at http://127.0.0.1:1 ("), "{err}");
    assert!(
        err.trim_end().ends_with("start one with `hitmill up`, or say where it is with --server"),
        "{err}"
    );

    for (arguments, says) in [
        (&["changes"][..], "error: no key was given"),
        (
            &["changes", "--key", "k", "--server", "ftp://x"],
            "error: server \"ftp://x\" is not allowed: http://HOST:PORT",
        ),
        (&["merchant", "update", "1", "--key", "k"], "error: nothing to change"),
        (&["merchant", "show", "m7", "--key", "k"], "error: invalid value 'm7'"),
        (
            &["key", "create", "read", "--key", "k"],
            "error: the following required arguments were not provided",
        ),
        (&["no-such-command"], "error: unrecognized subcommand"),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, &*out), (2, ""), "{arguments:?}");
        assert!(err.starts_with(says), "{arguments:?}: {err}");
    }
}

#[test]
fn settings_are_shown_with_where_they_came_from() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hitmill.toml"), "[host]\nlog = \"debug\"\nmax_connections = 5\n")
        .unwrap();
    let settings = |variables: &[(&str, &str)]| {
        let mut command = hitmill(&["settings", "host", "--data", "elsewhere", "--format", "json"]);
        ended(&command.current_dir(dir.path()).envs(variables.iter().copied()).output().unwrap())
    };
    let (code, out, _) = settings(&[("HITMILL_HOST__MAX_CONNECTIONS", "6")]);
    assert_eq!(code, 0);
    let rows: Vec<Value> = serde_json::from_str(&out).unwrap();
    let row = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        (row["value"].clone(), row["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(row("host.data"), ("elsewhere".into(), "--data".into()));
    assert_eq!(row("host.max_connections"), (6.into(), "HITMILL_HOST__MAX_CONNECTIONS".into()));
    assert_eq!(row("host.log"), ("debug".into(), "hitmill.toml".into()));
    assert_eq!(row("host.drain_seconds"), (10.into(), "default".into()));
    assert!(rows.iter().all(|row| row["name"].as_str().unwrap().starts_with("host.")));

    let (code, _, err) = settings(&[("HITMILL_HOST__MAX_CONNECTION", "6")]);
    let unknown = "error: HITMILL_HOST__MAX_CONNECTION sets host.max_connection, which is no setting: did you mean \
                   host.max_connections?\n";
    assert_eq!((code, &*err), (1, unknown));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child =
        hitmill(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code().unwrap(), text(&output.stderr)), (0, String::new()));
}
