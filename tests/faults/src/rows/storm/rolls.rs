//! Every service is restarted in turn, under load: how people deploy.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use system_tests::{Api, Service, monitor, now};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Storm;
use crate::row::Row;

/// Two attempts of two seconds, and what lies between them.
const LONGEST_CHECK: Duration = Duration::from_millis(4_300);
/// What a process may take beyond that from SIGTERM to its end.
const EXIT: Duration = Duration::from_secs(5);

impl Storm {
    pub(super) async fn rolls(&mut self, rounds: u64, row: &mut Row) {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        // Checks that last as long as a check may are under way at any time.
        let mute = if rounds > 1 { Some(self.mute_targets().await) } else { None };
        let mut exits: Vec<(Duration, &str)> = Vec::new();
        let paths: Vec<String> = ["/api/monitors".to_owned(), "/api/incidents".to_owned()]
            .into_iter()
            .chain(self.monitors.iter().map(|(_, id)| format!("/api/monitors/{id}")))
            .collect();
        let loads: Vec<_> =
            (0..3).map(|n| tokio::spawn(load(self.api.clone(), paths.clone(), n, Arc::clone(&stop), Arc::clone(&asked)))).collect();
        let from = now();
        for _ in 0..rounds {
            for service in Service::ALL {
                for replica in 0..2 {
                    row.trials += 1;
                    let exit = self.mesh.terminate(service, replica).await;
                    row.require(exit <= LONGEST_CHECK + EXIT, || format!("{} {replica} ended {exit:?} after SIGTERM", service.name()));
                    exits.push((exit, service.name()));
                    self.mesh.restart(service, replica);
                    self.mesh.ready_one(service, replica).await;
                    row.exposed(service.name());
                    self.live(Duration::from_millis(300)).await;
                }
            }
        }
        self.unbroken.push((from, now()));
        stop.store(true, Ordering::Relaxed);
        for load in loads {
            for failure in load.await.expect("the load ends") {
                let said = [0, 1].map(|replica| self.mesh.tail(Service::Gateway, replica, 2)).join("\n");
                row.violated(format!("{failure}; the gateways said last: {said}"));
            }
        }
        exits.sort_unstable();
        let nearly_all = exits[(exits.len() * 99 / 100).min(exits.len() - 1)].0;
        let (longest, whose) = exits[exits.len() - 1];
        row.compared = format!(
            "{} requests; SIGTERM to exit p99 {} ms, longest {} ms ({whose}); ",
            asked.load(Ordering::Relaxed),
            nearly_all.as_millis(),
            longest.as_millis()
        );
        if let Some(mute) = mute {
            mute.abort();
        }
    }

    /// Two more monitors, of a place that takes connections and says nothing.
    async fn mute_targets(&mut self) -> JoinHandle<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        for n in 0..2 {
            self.api.create(monitor(&format!("mute{n}"), &format!("http://{address}/{n}"))).await;
        }
        tokio::spawn(async move {
            let mut held = VecDeque::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push_back(stream);
                if held.len() > 64 {
                    held.pop_front();
                }
            }
        })
    }
}

/// Asks on and on; says which answers were no good, at most a few.
async fn load(api: Api, paths: Vec<String>, mut n: usize, stop: Arc<AtomicBool>, asked: Arc<AtomicU64>) -> Vec<String> {
    let mut failures = Vec::new();
    while !stop.load(Ordering::Relaxed) && failures.len() < 5 {
        let path = &paths[n % paths.len()];
        n += 1;
        asked.fetch_add(1, Ordering::Relaxed);
        let begin = Instant::now();
        let mut answered = api.try_raw(reqwest::Method::GET, path, None).await;
        if answered.is_err() {
            // Sent on a connection just when its server closed it: nobody can tell, so whoever reads asks once more, as browsers do.
            answered = api.try_raw(reqwest::Method::GET, path, None).await;
        }
        match answered {
            Ok(answer) if answer.status < 500 => {}
            Ok(answer) => failures.push(format!("{path}: {} {}", answer.status, answer.body)),
            Err(error) => failures.push(format!("{path}: no answer after {:?}: {error:?}", begin.elapsed())),
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    failures
}
