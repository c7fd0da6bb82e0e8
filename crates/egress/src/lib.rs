//! The only crate that dials targets given by users: resolve, judge every address, pin, dial; for each
//! redirect again. Bodies, headers and time are bounded, and every failure has a type that says whose
//! it is: the target's, or ours.

mod certificate;
mod client;
mod dial;
mod failure;
mod guard;
mod http;
mod post;
mod resolve;
mod tls;
mod trace;

pub use client::{Connected, Egress, EgressConfig, EgressError};
pub use failure::{Failure, FailureKind, io_kind};
pub use guard::{Forbidden, Guard, parse_networks};
pub use http::{HttpAnswer, HttpRequest};
pub use post::{PostAnswer, PostFailure};
pub use trace::{Phase, Timings};
