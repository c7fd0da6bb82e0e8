//! What the alerter owns: consumer offsets, alert states, incidents, alerts and their deliveries.
//!
//! The rule of these tables: a transition, its deliveries, the state it left and the offset that led
//! to it are one transaction ([`Store::commit_alerting`]), under a fence that keeps out whoever no
//! longer holds the partition.

mod acknowledge;
mod between;
mod claim;
mod commit;
mod fold;
mod lost;
mod outbox;
mod pace;
mod read;
mod settle;
mod states;
mod steady;

pub use acknowledge::{AcknowledgeRequest, Acknowledged};
pub use between::PastIncident;
pub use claim::ClaimedDelivery;
pub(crate) use commit::fence;
pub use commit::{AlertRow, AlertingCommit, Committed, DeliveryRow, IncidentRow, OffsetRow, StateRow};
pub use outbox::UnpublishedAlert;
pub use pace::ChannelPace;
pub use read::{AlertRecord, DeliveryRecord, IncidentFilter, IncidentRecord};
pub use settle::{Again, Backlog, SentMessage, Settlement};
pub use states::{IncidentSubject, JudgedThrough, StoredState, TakenPartition};
pub use steady::Steady;
