//! The oracle of alerts is shown to see: each lie that it is told must be a violation.

use std::time::{Duration, Instant};

use model::MonitorId;
use sqlx::Row as _;
use testkit::SlackPost;
use uuid::Uuid;

use super::copies::{Copy, RESOLVED, copies};
use super::{Alerts, KINDS, Story};
use crate::row::Row;

impl Alerts {
    /// While nothing waits and no alerter lives. Each lie is taken back.
    pub(super) async fn proof(&mut self) -> Row {
        let began = Instant::now();
        let mut row = Row::new("O1", "the oracle of alerts is lied to in eleven ways", "each lie is seen");
        row.require(self.lies().await == 0, || "the oracle complains before it is lied to".to_owned());

        let story = self.stories.pop();
        self.seen("a transition too many", &mut row).await;
        self.stories.extend(story);

        self.stories.push(Story { monitor: MonitorId(Uuid::from_u128(7)), down: 10_000, up: None });
        self.seen("a transition that nobody told", &mut row).await;
        self.stories.pop();

        // Messages that alone tell of one alert: what a group names stands beside others, a repeat beside the first.
        for (n, kind) in KINDS.iter().enumerate() {
            let posts = self.hooks[n].posts();
            let key = |copy: &Copy| (copy.monitor.clone(), copy.kind);
            let all: Vec<_> = posts.iter().flat_map(copies).map(|copy| key(&copy)).collect();
            let lonely =
                |post: &SlackPost| matches!(copies(post).as_slice(), [copy] if all.iter().filter(|one| **one == key(copy)).count() == 1);
            let lonely: Vec<usize> = (0..posts.len()).filter(|at| lonely(&posts[*at])).collect();
            let lost = self.lost(n, &lonely).await;
            let lie = lost.map_or_else(|| format!("{kind}: messages that never came"), |lost| format!("{kind}: {lost} that never came"));
            row.lied_to(&lie, lost.is_some());
            self.restore(n, &posts);

            let answered = posts.iter().rposition(|post| copies(post).iter().any(|copy| !copy.unanswered)).unwrap_or(0);
            let mut again = posts[answered].clone();
            again.at = posts[answered].at + Duration::from_millis(1);
            self.hooks[n].edit_posts(|posts| posts.push(again));
            self.seen(&format!("{kind}: a message twice, not flagged"), &mut row).await;
            self.restore(n, &posts);
        }

        let posts = self.hooks[2].posts();
        self.hooks[2].edit_posts(|posts| {
            if let Some(post) = posts.iter_mut().find(|post| post.taken) {
                post.body["data"]["monitor"]["id"] = Uuid::from_u128(8).to_string().into();
            }
        });
        self.seen("a message about nothing", &mut row).await;
        self.restore(2, &posts);

        let early = posts[0].at.checked_sub(Duration::from_secs(3600)).unwrap_or(posts[0].at);
        self.hooks[2].edit_posts(|posts| {
            posts.iter_mut().filter(|post| copies(post).iter().any(|copy| copy.kind == RESOLVED)).for_each(|post| post.at = early);
        });
        self.seen("recoveries before their beginnings", &mut row).await;
        self.restore(2, &posts);

        let pool = self.mesh.stack.database().await.store.pool();
        let one = sqlx::query("SELECT id FROM deliveries WHERE state = 'sent' LIMIT 1").fetch_one(pool).await.expect("a delivery");
        let delivery: Uuid = one.get("id");
        let set =
            |state: &'static str| sqlx::query("UPDATE deliveries SET state = $2 WHERE id = $1").bind(delivery).bind(state).execute(pool);
        set("dead").await.expect("PostgreSQL");
        self.seen("a delivery that was given up", &mut row).await;
        set("sent").await.expect("PostgreSQL");

        row.require(self.lies().await == 0, || "the oracle complains after the lies were taken back".to_owned());
        row.compared = format!("{} of {} lies seen", row.exposures, row.trials);
        row.took = began.elapsed();
        eprintln!("  oracle of alerts: {}", row.compared);
        row
    }

    async fn seen(&self, lie: &str, row: &mut Row) {
        row.lied_to(lie, self.lies().await > 0);
    }

    /// How many messages may get lost before it is seen: one, but where groups were repeated (their counts of what they do not
    /// name stand in for as many). None where no loss is seen.
    async fn lost(&self, hook: usize, lonely: &[usize]) -> Option<usize> {
        for (n, at) in lonely.iter().rev().enumerate() {
            self.hooks[hook].edit_posts(|posts| drop(posts.remove(*at)));
            if self.lies().await > 0 {
                return Some(n + 1);
            }
        }
        None
    }

    async fn lies(&self) -> usize {
        let mut parts = KINDS.map(|_| Row::scratch());
        self.check(&mut parts).await;
        parts.iter().map(|part| part.violations.len()).sum()
    }

    fn restore(&self, hook: usize, posts: &[SlackPost]) {
        self.hooks[hook].edit_posts(|now| *now = posts.to_vec());
    }
}
