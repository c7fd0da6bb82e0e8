//! From Redis to the hub: results are gathered for a moment, newest per monitor and region, so that a
//! browser hears a few events a second however much is checked; verdicts go at once.

use std::collections::HashMap;
use std::time::Duration;

use cache::Update;
use model::alerting::Shown;
use model::{MonitorId, Region, WorkspaceId};
use serde::Deserialize;
use tokio::time::MissedTickBehavior;

use super::hub::Hub;
use crate::api::{ResultItem, ResultsEvent, VerdictItem, VerdictsEvent};
use crate::app::App;
use crate::live::{Seen, status};

/// How long results are gathered.
const GATHER: Duration = Duration::from_millis(150);
/// Items of one event.
const MAX_ITEMS: usize = 500;

/// What is published on the updates channel. Kinds of later versions are passed over.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Message {
    Results {
        items: Vec<ResultItem>,
    },
    Verdicts {
        items: Vec<JudgedItem>,
    },
    /// Another gateway changed configuration: look at users at once.
    Config,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct JudgedItem {
    monitor: MonitorId,
    #[serde(flatten)]
    verdict: Shown,
}

/// Results that wait to be told.
type Gathered = HashMap<WorkspaceId, HashMap<(MonitorId, Region), ResultItem>>;

/// Follows the subscription until shutdown.
pub(crate) async fn follow_updates(app: App) {
    let mut subscription = app.cache().subscribe();
    let mut gathered = Gathered::default();
    let mut tick = tokio::time::interval(GATHER);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.shutdown().cancelled() => return,
            _ = tick.tick(), if !gathered.is_empty() => flush(app.hub(), &mut gathered),
            update = subscription.next() => match update {
                Update::Connected => {
                    turn(&app, true);
                    // What was published meanwhile is lost.
                    app.hub().resync();
                }
                Update::Lost => turn(&app, false),
                Update::Message(bytes) => match serde_json::from_slice(&bytes) {
                    Ok(Message::Results { items }) => items.into_iter().for_each(|item| take_result(&app, &mut gathered, item)),
                    Ok(Message::Verdicts { items }) => {
                        // A verdict must not overtake the result it rests on.
                        flush(app.hub(), &mut gathered);
                        take_verdicts(&app, items);
                    }
                    Ok(Message::Config) => app.directory().wake(),
                    Ok(Message::Other) => {}
                    Err(error) => tracing::warn!(%error, "an update cannot be read"),
                },
            },
        }
    }
}

/// Whoever is told of it and asks must not be given an answer from before.
fn turn(app: &App, live: bool) {
    app.catalog().begin_edition();
    app.hub().set_live(live);
}

fn take_result(app: &App, gathered: &mut Gathered, item: ResultItem) {
    let seen = Seen::of(item.region.clone(), &item.result);
    let Some(workspace) = app.catalog().saw(item.monitor, seen) else { return };
    app.reasons().hear(&item);
    if !app.hub().is_heard(workspace) {
        return;
    }
    let waiting = gathered.entry(workspace).or_default();
    let key = (item.monitor, item.region.clone());
    if waiting.get(&key).is_none_or(|known| known.result.slot <= item.result.slot) {
        waiting.insert(key, item);
    }
}

fn take_verdicts(app: &App, items: Vec<JudgedItem>) {
    let now = app.now();
    let mut by_workspace: HashMap<WorkspaceId, Vec<VerdictItem>> = HashMap::new();
    for JudgedItem { monitor, verdict } in items {
        let Some(workspace) = app.catalog().judged(monitor, verdict.clone()) else { continue };
        let Some(known) = app.catalog().get(workspace, monitor) else { continue };
        // A verdict stands on fresh results here: it was just made of them.
        let witness = verdict.slot.zip(known.spec.regions.first());
        let seen: Vec<Seen> = witness
            .map(|(slot, region)| Seen { region: region.clone(), slot, outcome: model::Outcome::Up, cause: None, latency_us: None })
            .into_iter()
            .collect();
        let state = status(&known, Some(&verdict), &seen, now).state;
        by_workspace.entry(workspace).or_default().push(VerdictItem::of(&known, &verdict, state));
    }
    for (workspace, mut items) in by_workspace {
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(MAX_ITEMS));
            app.hub().tell(workspace, "verdicts", &VerdictsEvent { items });
            items = rest;
        }
    }
}

fn flush(hub: &Hub, gathered: &mut Gathered) {
    for (workspace, waiting) in gathered.drain() {
        let mut items: Vec<ResultItem> = waiting.into_values().collect();
        items.sort_unstable_by_key(|item| item.result.slot);
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(MAX_ITEMS));
            hub.tell(workspace, "results", &ResultsEvent { items });
            items = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_what_the_others_publish() {
        let monitor = "00000000-0000-0000-0000-000000000001";
        let results = format!(
            r#"{{"kind":"results","items":[{{"monitor":"{monitor}","region":"local","slot":5,"outcome":"up","latency_us":7,"started_at":6,"revision":1,"later":true}}]}}"#
        );
        assert!(matches!(serde_json::from_str(&results), Ok(Message::Results { items }) if items[0].result.slot == 5));
        let verdicts = format!(
            r#"{{"kind":"verdicts","items":[{{"monitor":"{monitor}","state":"down","since":5,"slot":6,"regions_down":["local"]}}]}}"#
        );
        assert!(matches!(serde_json::from_str(&verdicts), Ok(Message::Verdicts { items }) if items[0].verdict.slot == Some(6)));
        assert!(matches!(serde_json::from_str(r#"{"kind":"config","items":[]}"#), Ok(Message::Config)));
        assert!(matches!(serde_json::from_str(r#"{"kind":"weather","x":1}"#), Ok(Message::Other)));
    }
}
