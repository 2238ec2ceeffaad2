use serde::{Deserialize, Serialize};

use super::{Error, Layers, Row, Settings};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct All {
    host: Settings,
    ingest: Ingest,
    catalog: catalog::remote::Settings,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Ingest {
    max_queued_bytes: u64,
    name: Option<String>,
}

impl Default for Ingest {
    fn default() -> Self {
        Self { max_queued_bytes: 64, name: None }
    }
}

fn defaults() -> Layers<All> {
    Layers::defaults().unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let path = file.path().display().to_string();
    (file, path)
}

fn source<'a>(rows: &'a [Row], name: &str) -> &'a str {
    &rows.iter().find(|row| row.name == name).unwrap().source
}

fn refusal<T>(result: Result<T, Error>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn a_later_layer_wins_and_each_value_knows_where_it_came_from() {
    let (file, path) = file("[ingest]\nmax_queued_bytes = 1\nname = \"file\"\n[host]\nlog = \"debug\"\n");
    let environment = variables(&[
        ("HITMILL_INGEST__MAX_QUEUED_BYTES", "2"),
        ("HITMILL_HOST__HTTP2__MAX_STREAMS", "9"),
        ("HITMILL_HOST__LISTEN", "0.0.0.0:1"),
        ("HITMILL_SERVER", "http://somewhere"),
        ("PATH", "/bin"),
    ]);
    let loaded = defaults()
        .file(file.path())
        .and_then(|layers| layers.environment(environment))
        .and_then(|layers| layers.flag("--listen", "host.listen", "127.0.0.1:0"))
        .and_then(Layers::load)
        .unwrap();

    let mut expected =
        All { ingest: Ingest { max_queued_bytes: 2, name: Some("file".into()) }, ..All::default() };
    expected.host.log = "debug".into();
    expected.host.listen = "127.0.0.1:0".into();
    expected.host.http2.max_streams = 9;
    assert_eq!(loaded.settings, expected);

    assert_eq!(source(&loaded.rows, "ingest.max_queued_bytes"), "HITMILL_INGEST__MAX_QUEUED_BYTES");
    assert_eq!(source(&loaded.rows, "ingest.name"), path);
    assert_eq!(source(&loaded.rows, "host.log"), path);
    assert_eq!(source(&loaded.rows, "host.listen"), "--listen");
    assert_eq!(source(&loaded.rows, "host.http2.max_streams"), "HITMILL_HOST__HTTP2__MAX_STREAMS");
    assert_eq!(source(&loaded.rows, "host.data"), "default");
}

#[test]
fn every_setting_has_a_row_even_one_that_is_not_set() {
    let rows = defaults().load().unwrap().rows;
    let unset = rows.iter().find(|row| row.name == "ingest.name").unwrap();
    assert_eq!((&unset.value, &*unset.source), (&serde_json::Value::Null, "default"));
    assert!(rows.iter().any(|row| row.name == "host.http2.frame_bytes" && row.value == 262_144));
}

#[test]
fn an_unknown_setting_is_named_with_the_nearest_one() {
    let (file, path) = file("[ingest]\nmax_queud_bytes = 1\n");
    assert_eq!(
        refusal(defaults().file(file.path())),
        format!(
            "{path} sets ingest.max_queud_bytes, which is no setting: did you mean ingest.max_queued_bytes?"
        )
    );
    assert_eq!(
        refusal(defaults().environment(variables(&[("HITMILL_COLOUR__OF_IT", "red")]))),
        "HITMILL_COLOUR__OF_IT sets colour.of_it, which is no setting: `hitmill settings` lists them"
    );
}

#[test]
fn a_variable_with_one_underscore_too_few_is_not_passed_over() {
    assert_eq!(
        refusal(defaults().environment(variables(&[("HITMILL_HOST_LISTEN", "x")]))),
        "HITMILL_HOST_LISTEN sets host_listen, which is no setting: write HITMILL_HOST__LISTEN, with two underscores \
         after each section"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_place() {
    let lots = variables(&[("HITMILL_INGEST__MAX_QUEUED_BYTES", "lots")]);
    let refused = refusal(defaults().environment(lots).and_then(Layers::load));
    assert_eq!(
        refused,
        "HITMILL_INGEST__MAX_QUEUED_BYTES sets ingest.max_queued_bytes to a value that is not allowed: invalid type: \
         found string \"lots\", expected u64"
    );
}

#[test]
fn a_file_that_is_missing_or_not_toml_is_named() {
    let missing = refusal(defaults().file("no/such/hitmill.toml".as_ref()));
    assert!(missing.starts_with("failed to read the settings in no/such/hitmill.toml: "), "{missing}");
    let (file, path) = file("[ingest\n");
    let broken = refusal(defaults().file(file.path()));
    assert!(broken.starts_with(&format!("failed to read the settings in {path}: ")), "{broken}");
}

#[test]
fn a_key_is_text_and_is_not_shown() {
    // Digits alone would be a number.
    let key = variables(&[("HITMILL_CATALOG__KEY", "1234567890123456")]);
    let loaded = defaults().environment(key).and_then(Layers::load).unwrap();
    assert_eq!(loaded.settings.catalog.key, "1234567890123456");
    let row = |rows: &[Row]| rows.iter().find(|row| row.name == "catalog.key").unwrap().value.clone();
    assert_eq!(row(&loaded.rows), "(set, not shown)");
    assert_eq!(row(&defaults().load().unwrap().rows), "");
}

#[test]
fn a_list_of_addresses_is_text() {
    let servers = variables(&[("HITMILL_CATALOG__SERVERS", "http://a:1,http://b:2")]);
    let loaded = defaults().environment(servers).and_then(Layers::load).unwrap();
    assert_eq!(loaded.settings.catalog.servers, "http://a:1,http://b:2");
}

#[test]
fn the_sections_of_others_are_passed_over_but_not_what_nobody_knows() {
    let layers = || defaults().passing_over(&["ingest", "rollup", "query"]);
    let (others, _) = file("[rollup]\nflush_interval_ms = 1\n[ingest]\nmax_queued_bytes = 3\n");
    let variable = variables(&[("HITMILL_QUERY__MAX_ROWS", "5")]);
    let loaded = layers()
        .file(others.path())
        .and_then(|layers| layers.environment(variable))
        .and_then(Layers::load)
        .unwrap();
    assert_eq!(loaded.settings.ingest.max_queued_bytes, 3, "its own section is its own");
    assert!(loaded.rows.iter().all(|row| !row.name.starts_with("rollup")));

    let (wrong, path) = file("[rolup]\nflush_interval_ms = 1\n");
    let refused = refusal(layers().file(wrong.path()));
    assert_eq!(
        refused,
        format!("{path} sets rolup.flush_interval_ms, which is no setting: `hitmill settings` lists them")
    );
}
