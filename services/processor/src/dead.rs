//! Dead letters on their way. Offsets are committed only when they have arrived.

use std::time::Duration;

use kafka::{Ack, DeadLetterError, DeadLetters, Message, SendError};

use crate::intake::Rejected;

/// How long the brokers may take to acknowledge.
const DEADLINE: Duration = Duration::from_secs(10);

/// A dead letter whose arrival is not known yet.
pub(crate) struct Pending {
    message: Message,
    reason: Rejected,
    ack: Option<Ack>,
}

impl Pending {
    /// Sends a record away. `Err` gives it back where so many are unreadable that we are the likelier fault.
    pub fn send(letters: &DeadLetters, message: Message, reason: Rejected) -> Result<Self, Box<(Message, DeadLetterError)>> {
        match post(letters, &message, &reason) {
            Ok(ack) => Ok(Self { message, reason, ack: Some(ack) }),
            // Not even queued: the next flush tries again.
            Err(DeadLetterError::Send(SendError::QueueFull(_) | SendError::Kafka(_))) => Ok(Self { message, reason, ack: None }),
            Err(error) => Err(Box::new((message, error))),
        }
    }

    /// Sends again what did not arrive.
    pub fn resend(self, letters: &DeadLetters) -> Self {
        if self.ack.is_some() {
            return self;
        }
        let ack = post(letters, &self.message, &self.reason).ok();
        Self { ack, ..self }
    }
}

fn post(letters: &DeadLetters, message: &Message, reason: &Rejected) -> Result<Ack, DeadLetterError> {
    let text = reason.to_string();
    if matches!(reason, Rejected::Future(_)) { letters.refuse(message, &text) } else { letters.send(message, &text) }
}

/// Waits for all; what did not arrive comes back without an ack.
pub(crate) async fn arrived(pending: Vec<Pending>) -> Vec<Pending> {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    let mut left = Vec::new();
    for mut letter in pending {
        let arrived = match letter.ack.take() {
            Some(ack) => matches!(tokio::time::timeout_at(deadline, ack).await, Ok(Ok(_))),
            None => false,
        };
        if !arrived {
            left.push(letter);
        }
    }
    left
}
