//! The disk under the spool lies, tears and fills while Kafka is away.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::Service;

use super::Storm;
use crate::row::Row;
use crate::seed::Seed;

/// As `services/pinger/src/spool/record.rs` writes it, read here by a reader of its own: two bytes of mark,
/// length, checksum, then the payload.
const MARK: [u8; 2] = [0xa7, 0x55];
const HEAD: usize = 10;
/// Acknowledgements fail after five seconds; then results go to the disk.
const AWAY: Duration = Duration::from_secs(10);
/// What the small disk holds.
const DISK: &str = "32k";

impl Storm {
    /// Row 9.
    pub(super) async fn spools(&mut self, trials: u64, row: &mut Row) {
        for n in 0..trials {
            if n % 3 == 2 {
                row.trials += 1;
                self.full_disk(row).await;
            } else {
                self.damaged_spool(row).await;
            }
        }
    }

    /// Both pingers die with results on disk; files are torn at their ends and bits flipped in them.
    async fn damaged_spool(&mut self, row: &mut Row) {
        self.broker.stop();
        self.live(AWAY).await;
        let (mut flipped, mut torn) = ([0_usize; 2], 0);
        for (replica, flipped) in flipped.iter_mut().enumerate() {
            self.mesh.kill9(Service::Pinger, replica);
            let directory = PathBuf::from(self.mesh.setting(Service::Pinger, replica, "SPOOL_DIR").expect("a spool"));
            let damage = damage(&directory, &mut self.seed);
            *flipped = damage.0;
            torn += damage.1;
        }
        let log_before: Vec<usize> = (0..2).map(|replica| self.mesh.log(Service::Pinger, replica).len()).collect();
        for replica in 0..2 {
            self.mesh.restart(Service::Pinger, replica);
        }
        self.broker.resume().await;
        self.mesh.ready_one(Service::Pinger, 0).await;
        self.mesh.ready_one(Service::Pinger, 1).await;
        let mut cut = 0;
        for replica in 0..2 {
            let found = self.mesh.metric(Service::Pinger, replica, "upmesh_pinger_spool_corrupt_total").await;
            let flipped = flipped[replica];
            #[expect(clippy::cast_precision_loss, reason = "a few")]
            let all = found == Some(flipped as f64);
            row.require(all, || format!("{flipped} records were damaged on the disk of pinger {replica}, it found {found:?}"));
            let log = self.mesh.log(Service::Pinger, replica);
            cut += log[log_before[replica]..].matches("cutting a torn tail").count();
        }
        row.require(cut == torn, || format!("{torn} files were torn, {cut} were found to be"));
        row.trials += (flipped.iter().sum::<usize>() + torn) as u64;
        for _ in 0..flipped.iter().sum::<usize>() {
            row.exposed("flipped bit");
        }
        for _ in 0..torn {
            row.exposed("torn tail");
        }
        self.spools_are_empty(row).await;
    }

    /// A disk of a few kilobytes under one pinger's spool.
    async fn full_disk(&mut self, row: &mut Row) {
        let Some(disk) = Disk::mount() else {
            *row.places.entry("no mount permitted".to_owned()).or_default() += 1;
            return;
        };
        let usual = self.mesh.setting(Service::Pinger, 0, "SPOOL_DIR").expect("a spool");
        self.mesh.terminate(Service::Pinger, 0).await;
        self.mesh.set(Service::Pinger, 0, "SPOOL_DIR", &disk.path().display().to_string());
        self.mesh.restart(Service::Pinger, 0);
        self.mesh.ready_one(Service::Pinger, 0).await;
        self.live(Duration::from_secs(2)).await;
        self.broker.stop();
        self.live(AWAY * 2).await;
        let evicted = self.mesh.metric(Service::Pinger, 0, "upmesh_pinger_spool_evicted_total").await.unwrap_or(0.0);
        if evicted > 0.0 || self.mesh.log(Service::Pinger, 0).contains("the spool cannot be written") {
            row.exposed("full disk");
        }
        self.broker.resume().await;
        self.spools_are_empty(row).await;
        row.compared = format!("{}{evicted} results given up on a full disk; ", row.compared);
        self.mesh.terminate(Service::Pinger, 0).await;
        self.mesh.set(Service::Pinger, 0, "SPOOL_DIR", &usual);
        self.mesh.restart(Service::Pinger, 0);
        self.mesh.ready_one(Service::Pinger, 0).await;
    }

    async fn spools_are_empty(&mut self, row: &mut Row) {
        let began = Instant::now();
        for replica in 0..2 {
            while self.mesh.metric(Service::Pinger, replica, "upmesh_pinger_spool_records").await != Some(0.0) {
                if began.elapsed() > Duration::from_secs(40) {
                    row.violated(format!("the spool of pinger {replica} is not empty after 40 s"));
                    return;
                }
                self.live(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Flips one bit in some records of each file and tears some files at their end. How many of each.
fn damage(directory: &Path, seed: &mut Seed) -> (usize, usize) {
    let (mut flipped, mut torn) = (0, 0);
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "spool")) {
        let mut bytes = std::fs::read(file).expect("a file of the spool");
        let records = records(&bytes);
        // The last one is for the tear; two hits in a row would count as one place.
        let most = records.len().saturating_sub(2) / 2;
        let hits: BTreeSet<usize> =
            (0..4).filter(|_| most > 0).map(|_| 2 * usize::try_from(seed.below(most as u64)).unwrap_or(0)).collect();
        for hit in &hits {
            let (start, length) = records[*hit];
            let at = start + usize::try_from(seed.below(length as u64)).unwrap_or(0);
            bytes[at] ^= 1 << seed.below(8);
        }
        flipped += hits.len();
        if let Some((start, length)) = records.last().filter(|_| records.len() > 2 && seed.chance(70)) {
            bytes.truncate(start + 1 + usize::try_from(seed.below(*length as u64 - 1)).unwrap_or(0));
            torn += 1;
        }
        std::fs::write(file, bytes).expect("written back");
    }
    (flipped, torn)
}

/// Where each record begins, and how long it is.
fn records(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(head) = bytes.get(at..at + HEAD).filter(|head| head.starts_with(&MARK)) {
        let length = HEAD + usize::try_from(u32::from_le_bytes([head[2], head[3], head[4], head[5]])).unwrap_or(0);
        if at + length > bytes.len() {
            break;
        }
        found.push((at, length));
        at += length;
    }
    found
}

/// A file system in memory with room for little; unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None where this process may not mount.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let options = format!("size={DISK}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "upmesh-faults"]).arg(directory.path()).output().ok()?;
        mounted.status.success().then_some(Self(directory))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("spool")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
