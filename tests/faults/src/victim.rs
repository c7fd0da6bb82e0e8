//! A process that is started to die: armed at a crash point, watched, replaced.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use system_tests::{Mesh, Service};
use tokio::time::Instant;

use crate::group::{bury, living};

/// SIGABRT, by which a crash point ends its process.
const ABORTED: i32 = 6;

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// By its own hand, at the point it was armed at.
    AtPoint,
    /// It never came there; killed with SIGKILL.
    Killed,
    /// In a way nobody asked for (I12).
    Unasked,
}

/// One replica of one service.
#[derive(Debug, Clone, Copy)]
pub struct Victim {
    pub service: Service,
    pub replica: usize,
}

impl Victim {
    pub fn of(service: Service) -> Self {
        Self { service, replica: 0 }
    }

    /// Starts it, to die at the `nth` pass of `point`, or in peace.
    pub fn start(self, mesh: &mut Mesh, point: Option<(&str, u64)>) {
        let armed = point.map(|(name, nth)| ("FAILPOINTS".to_owned(), armed(name, nth)));
        mesh.restart_with(self.service, self.replica, armed.into_iter());
    }

    /// Whether it is dead by now, and how that came.
    pub fn look(self, mesh: &mut Mesh, point: &str) -> Option<Death> {
        let status = mesh.ended(self.service, self.replica)?;
        let words = format!("died at the crash point {point}");
        let said = mesh.tail(self.service, self.replica, 3).contains(&words);
        if status.signal() == Some(ABORTED) && said {
            return Some(Death::AtPoint);
        }
        eprintln!("{} ended with {status}:\n{}", self.service.name(), mesh.tail(self.service, self.replica, 15));
        Some(Death::Unasked)
    }

    /// Waits for its death, up to `patience`; kills it then.
    pub async fn wait(self, mesh: &mut Mesh, point: &str, patience: Duration) -> Death {
        let until = Instant::now() + patience;
        loop {
            if let Some(death) = self.look(mesh, point) {
                return death;
            }
            if Instant::now() >= until {
                mesh.kill9(self.service, self.replica);
                return Death::Killed;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets its group know at once; it was the only member.
    pub async fn bury(self, mesh: &Mesh) {
        self.bury_beside(mesh, &[]).await;
    }

    /// The same, beside members that live.
    pub async fn bury_beside(self, mesh: &Mesh, living: &[String]) {
        bury(&mesh.kafka, &mesh.group(self.service.name()), living).await;
    }

    /// Who is in its group now.
    pub async fn group(self, mesh: &Mesh) -> Vec<String> {
        living(&mesh.kafka, &mesh.group(self.service.name())).await
    }
}

fn armed(name: &str, nth: u64) -> String {
    if nth <= 1 { format!("{name}=1*return") } else { format!("{name}={}*off->1*return", nth - 1) }
}
