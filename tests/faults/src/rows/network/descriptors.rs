//! Descriptors are taken from the probers that run, and given back: by their limit, as an operator would raise it.

use std::process::Command;

use system_tests::{Mesh, Service};

/// Fewer than any process has: what is open stays open, and nothing new is opened.
const NONE: u64 = 3;

/// No pinger opens anything any more.
pub fn take(mesh: &Mesh) {
    (0..2).for_each(|replica| limit(mesh.process_id(Service::Pinger, replica), NONE));
}

/// As many as they may have.
pub fn give_back(mesh: &Mesh) {
    for replica in 0..2 {
        let process = mesh.process_id(Service::Pinger, replica);
        let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).expect("the limits of a process that runs");
        let hard = limits.lines().find(|line| line.starts_with("Max open files")).and_then(|line| line.split_whitespace().nth(4));
        limit(process, hard.and_then(|hard| hard.parse().ok()).expect("a number of open files"));
    }
}

/// The soft limit, which may go up again to the hard one.
fn limit(process: u32, files: u64) {
    let set = Command::new("prlimit").args(["--pid", &process.to_string(), &format!("--nofile={files}:")]).status();
    assert!(set.is_ok_and(|status| status.success()), "prlimit of {process}");
}
