//! Who may use whom, read from `cargo metadata`: the layers of ARCHITECTURE.md. `deny.toml` holds the third-party half.

#![expect(clippy::unwrap_used, reason = "a test that cannot read cargo's metadata says so and stops")]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// What each of our crates may depend on, dev-dependencies aside.
const ALLOWED: [(&str, &[&str]); 16] = [
    ("model", &[]),
    ("events", &["model"]),
    ("store", &["model"]),
    ("cache", &["model"]),
    ("kafka", &["model", "events"]),
    ("egress", &[]),
    ("service", &[]),
    ("directory", &["model", "events", "kafka"]),
    ("settings", &["events", "kafka", "cache", "egress", "directory", "service"]),
    ("testkit", &["model", "events", "kafka", "cache", "store"]),
    // No database: a pinger holds no credentials for it.
    ("pinger", &["model", "events", "kafka", "cache", "egress", "service", "settings", "directory"]),
    ("processor", &["model", "events", "kafka", "cache", "store", "service", "settings", "directory"]),
    ("alerter", &["model", "events", "kafka", "cache", "store", "egress", "service", "settings", "directory"]),
    ("gateway", &["model", "events", "kafka", "cache", "store", "service", "settings", "directory"]),
    ("users", &["model", "events", "kafka", "cache", "store", "service", "settings", "directory"]),
    (
        "upmesh",
        &[
            "model",
            "events",
            "kafka",
            "cache",
            "store",
            "egress",
            "service",
            "settings",
            "directory",
            "pinger",
            "processor",
            "alerter",
            "gateway",
            "users",
        ],
    ),
];

/// Programs of the repository that stand outside the layers: they may use anything.
const OUTSIDE: [&str; 3] = ["bench", "faults", "system-tests"];

struct Package {
    normal: Vec<String>,
    dev: Vec<String>,
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO")).args(["metadata", "--no-deps", "--format-version=1", "--offline"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Our crates with their dependencies on each other.
fn workspace() -> BTreeMap<String, Package> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dependencies = |package: &Value, dev: bool| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|one| one["path"].is_string() && (one["kind"] == "dev") == dev).map(|one| text(&one["name"])).collect()
    };
    packages
        .iter()
        .map(|package| (text(&package["name"]), Package { normal: dependencies(package, false), dev: dependencies(package, true) }))
        .collect()
}

#[test]
fn every_crate_uses_only_the_layers_beneath_it() {
    for (name, package) in workspace() {
        if OUTSIDE.contains(&name.as_str()) {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            panic!("{name} is new: give it a place in the layers");
        };
        for used in &package.normal {
            assert!(allowed.contains(&used.as_str()), "{name} may not use {used}");
        }
    }
}

#[test]
fn services_never_use_each_other_and_only_tests_use_testkit() {
    let services = ["pinger", "processor", "alerter", "gateway", "users"];
    let packages = workspace();
    for name in services {
        let package = &packages[name];
        for other in services.iter().filter(|other| **other != name) {
            assert!(!package.normal.iter().chain(&package.dev).any(|used| used == other), "{name} uses {other}");
        }
    }
    for (name, package) in &packages {
        assert!(OUTSIDE.contains(&name.as_str()) || !package.normal.iter().any(|used| used == "testkit"), "{name} uses testkit");
    }
}

#[test]
fn only_a_flag_on_the_command_line_turns_crash_points_on() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().unwrap() {
        for used in package["dependencies"].as_array().unwrap() {
            let on = used["features"].as_array().unwrap().iter().any(|feature| feature == "failpoints");
            assert!(!on, "{} turns failpoints on in {}", package["name"], used["name"]);
            let fail = used["name"] == "fail";
            assert!(!fail || (package["name"] == "service" && used["optional"] == true), "{} depends on fail", package["name"]);
        }
        for (name, enables) in package["features"].as_object().unwrap() {
            let on = enables.as_array().unwrap().iter().any(|feature| feature.as_str().unwrap().contains("failpoints"));
            assert!(!on || (package["name"] == "service" && name == "failpoints"), "{} turns failpoints on by {name}", package["name"]);
        }
    }
}
