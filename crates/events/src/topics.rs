//! Names, partitions and retention of the topics.

/// The topics of one mesh. `prefix` is empty in production and names the run in tests (`t1234-`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    pub results: String,
    pub changes: String,
    pub incidents: String,
    pub probers: String,
}

/// How a topic is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    pub name: String,
    pub partitions: i32,
    pub retention_ms: i64,
}

const DAY_MS: i64 = 24 * 3_600_000;

impl Topics {
    pub fn new(prefix: &str) -> Self {
        Self {
            results: format!("{prefix}monitoring-results"),
            changes: format!("{prefix}monitor-changes"),
            incidents: format!("{prefix}incident-events"),
            probers: format!("{prefix}prober-status"),
        }
    }

    /// Where the records of `topic` go that cannot be read.
    pub fn dead_letter(topic: &str) -> String {
        format!("{topic}.dead-letter")
    }

    /// The topics whose records are read, and so may end among the dead letters.
    pub fn read(&self) -> [&str; 4] {
        [&self.results, &self.changes, &self.incidents, &self.probers]
    }

    /// Every topic with its settings; `partitions` applies to the results, the rest scale less.
    pub fn specs(&self, partitions: i32) -> Vec<TopicSpec> {
        let spec = |name: &str, partitions, days: i64| TopicSpec { name: name.to_owned(), partitions, retention_ms: days * DAY_MS };
        vec![
            spec(&self.results, partitions, 7),
            spec(&self.changes, 1, 30),
            spec(&self.incidents, partitions.min(3), 30),
            spec(&self.probers, 1, 2),
            spec(&Self::dead_letter(&self.results), 1, 14),
            spec(&Self::dead_letter(&self.changes), 1, 14),
            spec(&Self::dead_letter(&self.incidents), 1, 14),
            spec(&Self::dead_letter(&self.probers), 1, 14),
        ]
    }
}
