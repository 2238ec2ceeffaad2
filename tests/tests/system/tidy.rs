//! The rows of the layout, as ARCHITECTURE.md draws them, against what the crates really use.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Rows by crate, read from the block in ARCHITECTURE.md that is marked `rows`.
fn rows(root: &Path) -> BTreeMap<String, u32> {
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let block = text.split("```rows\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let mut rows = BTreeMap::new();
    let mut row = 0;
    for line in block.lines() {
        let mut words = line.split_whitespace().peekable();
        if let Some(number) = words.next_if(|word| word.parse::<u32>().is_ok()) {
            row = number.parse().unwrap();
        }
        if let Some(name) = words.next() {
            rows.insert(name.to_owned(), row);
        }
    }
    rows
}

fn uses(package: &Package) -> impl Iterator<Item = &str> {
    let ours = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    ours.filter(|dependency| dependency.kind == DependencyKind::Normal).map(|dependency| &*dependency.name)
}

#[test]
fn a_crate_uses_only_rows_below_its_own() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let rows = rows(metadata.workspace_root.as_std_path());
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let Some(row) = rows.get(package.name.as_str()) else {
            wrong.push(format!("{} is in no row", package.name));
            continue;
        };
        for used in uses(package).filter(|used| rows.get(*used).is_none_or(|below| below >= row)) {
            wrong.push(format!("{} (row {row}) uses {used} (row {:?})", package.name, rows.get(used)));
        }
        if package.name.as_str() == "hitmill-sdk" {
            wrong.extend(
                uses(package)
                    .filter(|used| !["disk", "proto"].contains(used))
                    .map(|used| format!("the SDK uses {used}")),
            );
        }
    }
    assert!(wrong.is_empty(), "mend these, or the rows in ARCHITECTURE.md: {wrong:#?}");
    assert_eq!(rows.len(), metadata.packages.len(), "a row names a crate that is not there");
}
