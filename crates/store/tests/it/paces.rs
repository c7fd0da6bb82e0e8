//! The pace of a channel, kept for all alerters together.

use model::ChannelId;
use testkit::Stack;
use uuid::Uuid;

use crate::claims::{BEGIN, CHANNEL, LEASE, Told, long_here};

const OTHER: ChannelId = ChannelId(Uuid::from_u128(10));

#[tokio::test]
async fn of_several_alerters_at_once_none_overlooks_what_another_sent() {
    let stack = Stack::new();
    let database = stack.database().await;
    let alerters = [database.connect(4), database.connect(4)];
    let mut taking = tokio::task::JoinSet::new();
    for n in 0..40 {
        let store = alerters[n % 2].clone();
        taking.spawn(async move {
            let take = store.pace_channel(CHANNEL, |pace, now| {
                let room = pace.sent.len() < 5;
                if room {
                    pace.sent.push(now);
                }
                room
            });
            take.await.expect("paced")
        });
    }
    let taken = taking.join_all().await;
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 5);
}

#[tokio::test]
async fn a_channel_that_rests_is_given_to_nobody_and_holds_up_no_other() {
    let stack = Stack::new();
    let store = &stack.database().await.store;
    let mut told = Told::default();
    told.outage(1, 0, BEGIN, None);
    told.outage(2, 0, BEGIN, None);
    told.deliveries[1].channel = OTHER;
    told.commit(store).await;
    let rest = |until_in: i64| store.pace_channel(CHANNEL, move |pace, now| pace.until = now + until_in);
    rest(3_600_000).await.expect("paced");
    let claim = async || store.claim_deliveries(Uuid::from_u128(1), &[], 10, LEASE, BEGIN, &mut long_here(LEASE)).await.expect("claimed");
    assert_eq!(claim().await.iter().map(|one| one.channel).collect::<Vec<_>>(), [OTHER]);
    let due = store.next_delivery_due(&[OTHER], BEGIN).await.expect("asked").expect("one waits");
    assert!((3_500_000..=3_600_000).contains(&due), "{due} ms");
    rest(-1).await.expect("paced");
    assert_eq!(claim().await.iter().map(|one| one.channel).collect::<Vec<_>>(), [CHANNEL]);
}
