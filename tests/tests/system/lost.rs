//! Merchants, keys, or all of the log or the store are lost, or seem to be: the server does not begin anew beside what is left,
//! and `hitmill doctor` keeps what can be kept, says what cannot, and asks.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::books::{audited, hits_by_name};
use super::doctor::{copy, doctor, flip, found, killed_repairs, refused, repair, repair_with, settled};
use super::import::{LOG, imported};
use super::server::{Home, Server};

/// Hits of the real log.
const HITS: u64 = 2_874;

/// The first of the findings, and the exit code.
fn first(home: &Home) -> (Value, Option<i32>) {
    let (found, code) = found(home);
    (found["findings"][0].clone(), code)
}

/// A repair that is refused for what it would lose; it changes nothing.
fn asks(home: &Home, agreement: &str) -> String {
    let before = found(home).0["findings"].clone();
    let output = doctor(home, &["--repair"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("say `{agreement}` if they may go, or bring back a copy")), "{said}");
    assert_eq!(found(home).0["findings"], before);
    said
}

/// The first change of the configuration is damaged, the merchant comes after it.
#[tokio::test]
async fn merchants_behind_damage_are_kept() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    server.kill();
    // Behind the format, of 54 bytes, is the name of what the store is folded from, 35 bytes behind that.
    flip(&home.path("data/store/0.jnl"), 54 + 35 + 10);
    let (finding, code) = first(&home);
    assert_eq!((&finding["part"], code), (&Value::from("store"), Some(1)));
    let lost = finding["lost"].as_str().unwrap();
    assert!(lost.starts_with("what was changed there of merchants, keys and data streams"), "{lost}");
    assert!(asks(&home, "--lose-merchants").contains("a repair loses what was changed"));

    let said = repair_with(&home, &["--lose-merchants"]);
    assert!(said.contains("later changes of values of merchants, keys and data streams were kept"), "{said}");
    assert!(!said.contains("nobody knows"), "{said}");
    let server = Server::start(&home);
    assert_eq!(settled(&server, merchant).await, HITS);
    server.stop();
}

/// The data of a killed server with a commit of numbers that is damaged, between two merchants.
fn damaged_among_numbers(home: &Home) -> (u64, u64) {
    let server = Server::start(home);
    let merchant = server.merchant();
    let journal = home.path("data/store/0.jnl");
    let used = || fs::read(&journal).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    let before = used();
    imported(&server, home, merchant, Path::new(LOG), &[]);
    let numbers = used();
    let later = server.merchant();
    server.kill();
    // In the middle of a value: most of the bytes are values.
    flip(&journal, before + (numbers - before) / 2);
    (merchant, later)
}

/// Where the damage is in a commit of numbers, nothing is lost, and nothing is asked; unless the log is gone, too.
#[tokio::test]
async fn damage_among_numbers_costs_no_merchant() {
    let home = Home::new();
    let (merchant, later) = damaged_among_numbers(&home);
    let lost = || first(&home).0["lost"].clone();
    fs::rename(home.path("data/log"), home.path("log")).unwrap();
    assert_eq!(lost(), "numbers that were counted from there on: the log, which has the hits, is missing");
    assert!(
        asks(&home, "--lose-numbers")
            .contains("a repair of the store loses all numbers, the hits of which are gone")
    );
    fs::rename(home.path("log"), home.path("data/log")).unwrap();
    assert_eq!(lost(), "nothing: all numbers from there on are folded again from the log");
    repair(&home);
    let server = Server::start(&home);
    assert_eq!(settled(&server, merchant).await, HITS);
    assert_eq!(settled(&server, later).await, 0, "it is known");
    server.stop();
}

#[tokio::test]
async fn a_store_that_is_gone() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    server.stop();
    fs::remove_dir_all(home.path("data/store")).unwrap();
    let said = refused(&home);
    assert!(said.contains("the log has records, and the store was never used"), "{said}");
    assert!(said.contains("`hitmill doctor --data"), "{said}");
    // Nor is it one now that it was tried.
    assert_eq!(first(&home).0["what"], "it was never used, and the log has records");
    fs::remove_dir_all(home.path("data/store")).unwrap();
    assert_eq!(first(&home).0["what"], "it is missing");
    assert!(asks(&home, "--lose-merchants").contains("all merchants, keys and data streams are gone"));

    killed_repairs(&home.path("data"), &["--lose-merchants"]);
    repair_with(&home, &["--lose-merchants"]);
    let server = Server::start(&home);
    let new = server.merchant();
    assert!(new > merchant, "{new} is an id that was given before");
    assert_eq!(audited(&server, new).await, (0, 0), "it has nobody's hits");
    imported(&server, &home, new, Path::new(LOG), &[]);
    assert_eq!(settled(&server, new).await, HITS);
    server.stop();
}

#[tokio::test]
async fn a_log_that_is_gone() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    server.stop();
    fs::remove_dir_all(home.path("data/log")).unwrap();
    let said = refused(&home);
    assert!(said.contains("`hitmill doctor --data") && said.contains("records are missing"), "{said}");
    fs::remove_dir_all(home.path("data/log")).unwrap();
    let (finding, code) = first(&home);
    assert_eq!((finding["what"].as_str(), code), (Some("it is missing"), Some(1)));
    let said = repair(&home);
    assert!(said.contains("an empty log was made"), "{said}");
    let server = Server::start(&home);
    assert_eq!(hits_by_name(&server, merchant).await["page_view"], HITS, "what was counted stays");
    imported(&server, &home, merchant, Path::new(LOG), &["--restart"]);
    // The same hits again: they are known, and not counted twice.
    assert_eq!(hits_by_name(&server, merchant).await["page_view"], HITS);
    server.stop();
}

#[tokio::test]
async fn a_directory_that_does_not_say_what_it_is() {
    let home = Home::new();
    let server = Server::start(&home);
    server.stop();
    let format = home.path("data/FORMAT");
    for damaged in [None, Some("hitmill dat\0, format 1\n")] {
        match damaged {
            None => fs::remove_file(&format).unwrap(),
            Some(text) => fs::write(&format, text).unwrap(),
        }
        let said = refused(&home);
        assert!(said.contains("FORMAT") && said.contains("`hitmill doctor --data"), "{said}");
        repair(&home);
        Server::start(&home).stop();
    }
    fs::write(&format, "hitmill data, format 2\n").unwrap();
    let (finding, _) = first(&home);
    assert!(finding["what"].as_str().unwrap().ends_with("a later version of hitmill wrote it"), "{finding}");
    assert_eq!(doctor(&home, &["--repair"]).status.code(), Some(1));
    assert_eq!(fs::read_to_string(&format).unwrap(), "hitmill data, format 2\n");
}

/// A log and a store that are not of each other: hits of one would become numbers of a merchant of the other.
#[tokio::test]
async fn the_store_of_another() {
    let (home, other) = (Home::new(), Home::new());
    for home in [&home, &other] {
        let server = Server::start(home);
        let merchant = server.merchant();
        imported(&server, home, merchant, Path::new(LOG), &[]);
        server.stop();
    }
    fs::rename(home.path("data/store"), home.path("store")).unwrap();
    fs::rename(other.path("data/store"), home.path("data/store")).unwrap();
    let said = refused(&home);
    assert!(said.contains("the log is of installation "), "{said}");
    let what = first(&home).0["what"].as_str().unwrap().to_owned();
    assert!(what.starts_with("it is of installation "), "{what}");
    let output = doctor(&home, &["--repair", "--lose-merchants", "--lose-numbers"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("put back the one that belongs to the other"), "{said}");
    fs::remove_dir_all(home.path("data/store")).unwrap();
    fs::rename(home.path("store"), home.path("data/store")).unwrap();
    Server::start(&home).stop();
}

/// A backup of the store alone is put back: merchants and keys that were made since are not in it.
#[tokio::test]
async fn an_old_copy_of_the_store() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    server.stop();
    let (store, old) = (home.path("data/store"), home.path("old"));
    fs::rename(&store, &old).unwrap();
    copy(&old, &store);
    let server = Server::start(&home);
    let later = server.merchant();
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    imported(&server, &home, later, Path::new(LOG), &[]);
    server.stop();
    fs::remove_dir_all(&store).unwrap();
    fs::rename(&old, &store).unwrap();
    let said = refused(&home);
    assert!(
        said.contains("the store is an old copy: its configuration is of version 2, and was of version 3"),
        "{said}"
    );
    assert_eq!(
        first(&home).0["what"],
        "it is an old copy: its configuration is of version 2, and was of version 3"
    );
    assert!(asks(&home, "--lose-merchants").contains("a repair loses what changes 3 to 3 did"));

    killed_repairs(&home.path("data"), &["--lose-merchants"]);
    repair_with(&home, &["--lose-merchants"]);
    let server = Server::start(&home);
    assert_eq!(settled(&server, merchant).await, HITS, "it is folded again");
    assert!(server.merchant() > later, "no id is given twice");
    server.stop();
}

/// What says how many partitions there are, and which is which.
#[tokio::test]
async fn partitions_that_are_not_where_they_were() {
    let home = Home::new();
    let server = Server::start(&home);
    let merchant = server.merchant();
    imported(&server, &home, merchant, Path::new(LOG), &[]);
    server.stop();
    let meta = home.path("data/log/meta");
    for said in ["0", "2", "5"] {
        fs::write(&meta, format!("hitmill-log format=1 partitions={said}\n")).unwrap();
        assert!(refused(&home).contains("`hitmill doctor --data"));
        repair(&home);
        assert_eq!(fs::read_to_string(&meta).unwrap(), "hitmill-log format=1 partitions=4\n");
    }
    let [one, other, aside] = ["data/log/p00000", "data/log/p00003", "aside"].map(|name| home.path(name));
    let exchange = || {
        fs::rename(&one, &aside).unwrap();
        fs::rename(&other, &one).unwrap();
        fs::rename(&aside, &other).unwrap();
    };
    exchange();
    let output = doctor(&home, &["--repair"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("put it back into its place"), "{said}");
    exchange();
    let server = Server::start(&home);
    assert_eq!(settled(&server, merchant).await, HITS);
    server.stop();
}
