//! The rows of the table, each a workload, its faults and its oracle.

pub mod alerts;
pub mod changes;
pub mod network;
pub mod outage;
pub mod poison;
pub mod processing;
pub mod storm;
pub mod telling;
pub mod transport;
