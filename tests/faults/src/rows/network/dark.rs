//! Under healthy targets the probers see nothing for a while, for one reason or another.

use std::time::{Duration, Instant};

use model::{Cause, Millis, Outcome};
use system_tests::now;

use super::{BY_ADDRESS, Network, descriptors};
use crate::dns::Says;
use crate::history::stored;
use crate::log::{INTERVAL_MS, read_all};
use crate::proxy::{Proxy, Trouble};
use crate::row::Row;

/// Every monitor is checked at least twice in it.
const CUT: Duration = Duration::from_secs(22);

/// Why the probers see nothing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dark {
    Cut(Trouble),
    Resolver(Says),
    Descriptors,
}

impl Network {
    /// Nothing is seen for a while, then everything again.
    pub(super) async fn go_dark(&mut self, dark: Dark, row: &mut Row) {
        const NOTICES: &str = "SELECT count(*) FROM notices n JOIN deliveries d ON d.notice_id = n.id WHERE d.state = 'sent'";
        const INCIDENTS: &str = "SELECT count(*) FROM incidents";
        let began = Instant::now();
        row.trials += 1;
        let (notices, incidents, met) = (self.count(NOTICES).await, self.count(INCIDENTS).await, self.met());
        let from = now();
        self.darken(dark);
        tokio::time::sleep(CUT).await;
        // It is told while it lasts, not only afterwards.
        let opened = self.until(NOTICES, notices + 1).await - notices;
        row.require(opened == 1, || format!("{opened} notices of a blindness ({dark:?})"));
        let lasted = now();
        self.lighten();
        let landed = match dark {
            Dark::Descriptors => self.out_of_descriptors(from).await > 0,
            Dark::Cut(_) | Dark::Resolver(_) => self.met() > met,
        };
        if landed {
            row.exposed(&match dark {
                Dark::Cut(trouble) => format!("{trouble:?}"),
                Dark::Resolver(says) => format!("{says:?}"),
                Dark::Descriptors => "none to be had".to_owned(),
            });
        }
        self.all_up().await;
        let closed = self.until(NOTICES, notices + 2).await - notices;
        row.require(closed == 2, || format!("{closed} notices of a blindness and its end ({dark:?})"));
        let opened = self.count(INCIDENTS).await - incidents;
        row.require(opened == 0, || format!("{opened} incidents of healthy targets ({dark:?})"));
        self.compare(dark, from, lasted, row).await;
        row.took += began.elapsed();
        eprintln!("  network: {dark:?}; {}", row.compared);
    }

    /// What was told of the slots around it: none down, and unknown each that could not be checked.
    async fn compare(&self, dark: Dark, from: Millis, to: Millis, row: &mut Row) {
        let told = stored(&self.pool, row).await;
        let within = told.iter().filter(|((_, slot), _)| (from - INTERVAL_MS..to + INTERVAL_MS).contains(slot));
        let (mut named, mut by_address) = (Vec::new(), Vec::new());
        for ((id, _), (outcome, _)) in within {
            let name = self.names.get(id).and_then(|name| name.strip_prefix('n')?.parse::<usize>().ok());
            let list = if name.is_some_and(|n| n.is_multiple_of(BY_ADDRESS)) { &mut by_address } else { &mut named };
            list.push(*outcome);
        }
        let count = |list: &[Outcome], of: Outcome| list.iter().filter(|outcome| **outcome == of).count();
        let down = count(&named, Outcome::Down) + count(&by_address, Outcome::Down);
        row.require(down == 0, || format!("I9, {down} healthy slots are told down ({dark:?})"));
        let (blind, others) = (count(&named, Outcome::Unknown), count(&by_address, Outcome::Unknown));
        let all = self.names.len();
        if matches!(dark, Dark::Resolver(_)) {
            row.require(blind >= all - all.div_ceil(BY_ADDRESS), || format!("only {blind} slots of the named are unknown"));
            row.require(others == 0, || format!("{others} slots that need no resolver are unknown"));
        } else {
            row.require(blind + others >= all, || format!("only {} slots are unknown ({dark:?})", blind + others));
        }
        row.compared = format!("{} slots around the last, {} of them unknown", named.len() + by_address.len(), blind + others);
    }

    fn darken(&self, dark: Dark) {
        match dark {
            Dark::Cut(trouble) => self.ways.iter().for_each(|way| way.set(trouble)),
            Dark::Resolver(says) => self.names_at.say(says),
            Dark::Descriptors => descriptors::take(&self.mesh),
        }
    }

    fn lighten(&self) {
        self.ways.iter().for_each(Proxy::heal);
        self.names_at.say(Says::Addresses);
        descriptors::give_back(&self.mesh);
    }

    /// Connections and questions that met a trouble.
    fn met(&self) -> u64 {
        self.ways[0].met() + self.names_at.refused()
    }

    /// Results since `from` that say so.
    async fn out_of_descriptors(&self, from: Millis) -> usize {
        let log = read_all(&self.mesh.kafka, &self.mesh.stack.topics().results).await;
        let results = log.iter().filter_map(|message| events::decode_result(message.key.as_deref(), message.value.as_deref()).ok());
        results.filter(|result| result.slot >= from && result.cause == Some(Cause::Resources)).count()
    }
}
